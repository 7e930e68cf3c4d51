"""What a shell offers at the Tab key: names that the app knows. Redis is not asked, which might be away or slow."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout

import click
from flask.cli import ScriptInfo

from ..broker import QueueBroker
from ..current import broker_of


def queue_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The app's queues; the `shell_complete` of a parameter."""
    broker = _broker(ctx)
    return _beginning(incomplete, broker.queues if broker else ())


def job_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the app's Job classes; the `shell_complete` of a parameter."""
    broker = _broker(ctx)
    actors = broker.actors.items() if broker else ()
    return _beginning(incomplete, (name for name, actor in actors if hasattr(actor, "job_class")))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _broker(ctx: click.Context) -> QueueBroker | None:
    """That of the app, if it can be loaded; what it prints meanwhile would be taken for what to offer."""
    info = ctx.find_object(ScriptInfo)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return broker_of(info.load_app()) if info else None
    except BaseException:
        # Whatever an app may raise, also SystemExit: a shell has no place for it.
        return None
