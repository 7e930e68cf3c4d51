"""Commands that change whole queues: clean, pause, resume."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from .complete import queue_names
from .durations import read_duration
from .each import confirm, how_many, tell_count, will_ask
from .group import examples, queue_cli
from .operate import CLEANABLE
from .reach import operations
from .read import as_json_option
from .records import to_json
from .text import one_line, show


@queue_cli.command(epilog=examples("clean emails --state completed --older-than 2d"))
@click.argument("queue", shell_complete=queue_names)
@click.option("--state", type=click.Choice([*map(str, CLEANABLE)]), required=True, help="The state of the jobs.")
@click.option(
    "--older-than",
    "older_than_s",
    metavar="DURATION",
    callback=read_duration,
    help="Only jobs that finished, or are unfinished and were made, so long ago: 90 (s), 15m, 2h, 3d.",
)
@click.option("--limit", type=click.IntRange(1), help="How many at most.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
def clean(queue: str, state: str, older_than_s: float | None, limit: int | None, yes: bool, as_json: bool) -> None:
    """Delete the jobs of QUEUE that are in a state."""
    jobs = operations()
    if will_ask(is_sure=yes):
        until = datetime.now(UTC) - timedelta(seconds=older_than_s or 0)
        there_are = how_many(state=state, queue=queue, until=until)
        confirm(f"Delete {f'up to {limit}' if limit else 'all'} {state} jobs of {queue} ({there_are})?", is_sure=yes)
    count = jobs.clean(queue, state=state, older_than_s=older_than_s or 0, limit=limit)
    show(to_json({"deleted": count}) if as_json else tell_count(count, "deleted"))


@queue_cli.command(epilog=examples("pause emails --reason 'the mail server moves'"))
@click.argument("queue", shell_complete=queue_names)
@click.option("--reason", default="", help="Why, for whoever looks at it.")
@as_json_option
def pause(queue: str, reason: str, as_json: bool) -> None:
    """Let no worker take jobs of QUEUE; those that run finish."""
    operations().pause(queue, reason)
    if as_json:
        show(to_json({"queue": queue, "paused": True, "reason": reason}))
    else:
        show(one_line(f"{queue} is paused{f': {reason}' if reason else ''}"))


@queue_cli.command(epilog=examples("resume emails"))
@click.argument("queue", shell_complete=queue_names)
@as_json_option
def resume(queue: str, as_json: bool) -> None:
    """Let workers take the jobs of QUEUE again."""
    operations().resume(queue)
    show(to_json({"queue": queue, "paused": False, "reason": ""}) if as_json else f"{queue} is not paused")
