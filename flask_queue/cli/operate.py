"""Commands that change single jobs: cancel, promote, reschedule, delete, duplicate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click

from ..errors import QueueError, QueueUnavailable
from ..record import JobRecord, JobState
from ..redact import hide_secrets
from .act import read_payload
from .complete import job_ids
from .durations import read_duration, read_moment
from .each import change_each, confirm, id_and_state
from .group import examples, queue_cli
from .reach import operations, words
from .read import as_json_option
from .records import as_data, to_json
from .text import show

Command = Callable[..., None]
#: All but active ones, which belong to their workers.
CLEANABLE = [state for state in JobState if state is not JobState.ACTIVE]


def ids_argument(*states: JobState) -> Callable[[Command], Command]:
    """The ids of jobs; those in these states are offered by the shell."""
    return click.argument("job_ids", metavar="ID…", nargs=-1, required=True, shell_complete=job_ids(*states))


@queue_cli.command(epilog=examples("cancel default:x5Yq2bXhQ0cT1aZk"))
@ids_argument(JobState.ACTIVE, JobState.WAITING, JobState.DELAYED)
@as_json_option
def cancel(job_ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel waiting and delayed jobs, and ask running ones to stop."""

    def tell(record: JobRecord) -> str:
        return f"{id_and_state(record)}{' (asked to stop)' if record.state is JobState.ACTIVE else ''}"

    change_each(job_ids, operations().cancel, as_json=as_json, tell=tell)


@queue_cli.command(epilog=examples("promote default:x5Yq2bXhQ0cT1aZk"))
@ids_argument(JobState.DELAYED)
@as_json_option
def promote(job_ids: tuple[str, ...], as_json: bool) -> None:
    """Let delayed jobs run now."""
    change_each(job_ids, operations().promote, as_json=as_json)


@queue_cli.command(
    epilog=examples(
        "reschedule default:x5Yq2bXhQ0cT1aZk --in 2h", "reschedule default:x5Yq2bXhQ0cT1aZk --at 2030-01-31T12:00"
    )
)
@click.argument("job_id", metavar="ID", shell_complete=job_ids(JobState.DELAYED))
@click.option("--at", metavar="TIME", callback=read_moment, help="When it may run, as 2030-01-31T12:00.")
@click.option("--in", "delay_s", metavar="DURATION", callback=read_duration, help="In how long: 90 (s), 15m, 2h, 3d.")
@as_json_option
def reschedule(job_id: str, at: datetime | None, delay_s: float | None, as_json: bool) -> None:
    """Give a delayed job another time."""
    if (at is None) == (delay_s is None):
        raise click.UsageError("Give either --at or --in.")
    moment = at or datetime.now(UTC) + timedelta(seconds=delay_s or 0)
    record = operations().reschedule(job_id, moment)
    show(_as_json(record) if as_json else id_and_state(record))


@queue_cli.command(epilog=examples("delete default:x5Yq2bXhQ0cT1aZk"))
@ids_argument(*CLEANABLE)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
def delete(job_ids: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete jobs that are not running, and every trace of them."""
    jobs = operations()
    if len(job_ids) > 1:
        confirm(f"Delete {len(job_ids)} jobs?", is_sure=yes)
    change_each(job_ids, jobs.delete, as_json=as_json)


@queue_cli.command(
    epilog=examples("duplicate default:x5Yq2bXhQ0cT1aZk", "duplicate default:x5Yq2bXhQ0cT1aZk '{\"user_id\": 8}'")
)
@click.argument("job_id", metavar="ID", shell_complete=job_ids())
@click.argument("changes", metavar="[JSON]", default="{}")
@as_json_option
def duplicate(job_id: str, changes: str, as_json: bool) -> None:
    """Send a job once more, with other arguments.

    JSON is an object with those that change; - reads it from standard input. Without it none does.
    """
    arguments = read_payload(changes)
    try:
        record = operations().duplicate(job_id, **arguments)
    except QueueUnavailable as error:
        stored = f" The new job may have been stored, as {error.job_id}." if error.job_id else ""
        raise QueueError(f"{error}{stored}") from None
    show(_as_json(record) if as_json else record.id)


def _as_json(record: JobRecord) -> str:
    return to_json(as_data(hide_secrets(record, words())))
