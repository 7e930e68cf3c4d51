"""Commands that change jobs one by one, as their ids are given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from ..current import current_broker
from ..errors import QueueError, QueueUnavailable
from ..monitor import Monitor
from ..record import JobRecord
from ..redact import hide_secrets
from .group import explain
from .reach import words
from .records import as_data, to_json
from .text import one_line, show


def id_and_state(record: JobRecord) -> str:
    """What is told of a changed job."""
    return one_line(f"{record.id} {record.state}")


def change_each(
    job_ids: Iterable[str],
    change: Callable[[str], JobRecord | None],
    *,
    as_json: bool = False,
    tell: Callable[[JobRecord], str] = id_and_state,
) -> None:
    """Change the jobs that can be, and tell of each; of the others errors tell, and they make the command fail.

    As JSON an array is told: the records after the change, or the ids where there are none any more.
    """
    changed: list[object] = []
    has_failed = False
    for job_id in job_ids:
        try:
            record = change(job_id)
        except QueueUnavailable:
            raise
        except QueueError as error:
            has_failed = True
            click.echo(f"Error: {explain(error)}", err=True)
            continue
        if as_json:
            changed.append(as_data(hide_secrets(record, words())) if record else job_id)
        else:
            show(tell(record) if record else one_line(f"{job_id} deleted"))
    if as_json:
        show(to_json(changed))
    if has_failed:
        sys.exit(1)


def will_ask(*, is_sure: bool) -> bool:
    """Whether `confirm` has somebody to ask."""
    return not is_sure and sys.stdin.isatty()


def confirm(question: str, *, is_sure: bool) -> None:
    """Ask whether to go on, on a terminal only; no ends the command. Standard output is for what programs read."""
    if will_ask(is_sure=is_sure):
        click.confirm(one_line(question), abort=True, err=True)


def how_many(**conditions: Any) -> str:
    """For a question: the number of jobs that meet these conditions of `jobs()`, as far as it is known soon."""
    known = Monitor(current_broker())
    count = known.count(known.query(**conditions))
    return f"{count.number}{'' if count.is_exact else ' or more'}"


def tell_count(count: int, what: str) -> str:
    """A number of jobs."""
    return f"{count} {'job' if count == 1 else 'jobs'} {what}"
