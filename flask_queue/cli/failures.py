"""The command that tells what failed jobs failed with."""

from __future__ import annotations

from dataclasses import asdict

import click

from ..record import FailureGroup
from ..times import relative
from .complete import queue_names
from .group import examples, queue_cli
from .reach import monitor
from .read import as_json_option
from .records import DETAIL, to_json
from .text import fitting, one_line, show, table

_HEAD = ["JOBS", "LAST", "GROUP", "PLACE", "ERROR"]


@queue_cli.command(epilog=examples("failures", "failures emails --json"))
@click.argument("queue", required=False, shell_complete=queue_names)
@as_json_option
def failures(queue: str | None, as_json: bool) -> None:
    """Show what failed jobs failed with.

    Of QUEUE, or of all queues; a line for each kind, the most frequent first. To see the jobs of one kind:
    `flask queue jobs --error GROUP`; to run them again: `flask queue retry --all --error GROUP`.
    """
    found = monitor().failures(queue)
    if as_json:
        show(to_json([asdict(group) for group in found]))
    else:
        show(fitting(table(_HEAD, [_row(group) for group in found])) if found else "No failed jobs.")


def _row(group: FailureGroup) -> list[str | int]:
    error = one_line(f"{group.type}: {group.message}", DETAIL)
    return [group.count, relative(group.last_at), group.fingerprint, one_line(group.place), error]
