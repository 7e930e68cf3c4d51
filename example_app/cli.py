"""Commands for operators."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from . import work
from .services import accounts
from .services.errors import Invalid


@click.command("dispatch-missing")
@with_appcontext
def dispatch_missing() -> None:
    """Dispatch the jobs that never reached the queue; run it every few minutes, it does no harm."""
    click.echo(f"{work.dispatch_missing()} jobs dispatched")


@click.command("create-operator")
@click.argument("email")
@click.password_option(envvar="OPERATOR_PASSWORD")
@with_appcontext
def create_operator(email: str, password: str) -> None:
    """Let somebody sign in and see the dashboard; again, to change the password."""
    try:
        accounts.make_operator(email, password)
    except Invalid as error:
        raise click.ClickException(error.message) from None
    click.echo(f"{email} can sign in")
