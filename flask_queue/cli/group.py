"""The group of commands, and how an error of ours ends one."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from ..errors import ConfigError, QueueError, UnknownQueue
from .text import one_line


class QueueGroup(AppGroup):
    """Ends a command with one line for what a user can put right, which also covers loading the app."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            click.UsageError: it names a queue that does not exist; exit status 2.
            click.ClickException: any other error of ours; exit status 1.
        """
        try:
            return super().invoke(ctx)
        except UnknownQueue as error:
            raise click.UsageError(one_line(str(error))) from None
        except QueueError as error:
            raise click.ClickException(explain(error)) from None


def explain(error: QueueError) -> str:
    """The error on one line, safe to show."""
    if isinstance(error, ConfigError):
        faults = error.faults
        listed = faults if len(faults) == 1 else [f"({number}) {fault}" for number, fault in enumerate(faults, 1)]
        return one_line(f"flask-queue is not configured correctly: {'; '.join(listed)}")
    return one_line(str(error))


def examples(*lines: str) -> str:
    """The end of a command's help: how it is called."""
    # The sign keeps click from wrapping what follows.
    return "\n".join(["\b", "Examples:", *(f"  flask queue {line}" for line in lines)])


queue_cli = QueueGroup("queue", help="Background jobs: run workers, look at jobs, send and retry them.")
