"""Commands for operators."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from . import work


@click.command("dispatch-missing")
@with_appcontext
def dispatch_missing() -> None:
    """Dispatch the jobs that never reached the queue; run it every few minutes, it does no harm."""
    click.echo(f"{work.dispatch_missing()} jobs dispatched")
