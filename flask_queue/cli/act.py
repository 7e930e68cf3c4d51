"""Commands that change something: dispatch, retry."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ..broker import QueueBroker
from ..dispatch import dispatch as send
from ..errors import QueueError, QueueUnavailable
from ..job import Job
from ..options import make_options
from ..record import JobState
from ..redact import hide_secrets
from ..search import FINGERPRINT
from .complete import error_groups, job_ids, job_names, queue_names
from .each import change_each, confirm, how_many, tell_count, will_ask
from .group import examples, queue_cli
from .reach import operations, reachable_broker, words
from .read import as_json_option
from .records import as_data, to_json
from .text import one_line, show


@queue_cli.command(
    epilog=examples(
        "dispatch SendWelcomeEmail '{\"user_id\": 7}'", "dispatch SendWelcomeEmail - --delay-s 60 < payload.json"
    )
)
@click.argument("name", shell_complete=job_names)
@click.argument("payload", metavar="JSON")
@click.option("--delay-s", type=float, help="Seconds until it may run.")
@as_json_option
def dispatch(name: str, payload: str, delay_s: float | None, as_json: bool) -> None:
    """Send a job, with arguments from JSON.

    JSON is an object with the arguments by name; - reads it from standard input.
    """
    arguments = read_payload(payload)
    try:
        options = make_options(delay_s=delay_s)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--delay-s") from None
    broker = reachable_broker()
    try:
        record = send(_job_named(broker, name), (), arguments, options)
    except QueueUnavailable as error:
        raise QueueError(f"{error} The job may have been stored, as {error.job_id}.") from None
    show(to_json(as_data(hide_secrets(record, words()))) if as_json else record.id)


@queue_cli.command(
    epilog=examples("retry default:x5Yq2bXhQ0cT1aZk", "retry --all --queue emails --error TimeoutError --yes")
)
@click.argument("job_ids", metavar="ID…", nargs=-1, shell_complete=job_ids(JobState.FAILED, JobState.CANCELLED))
@click.option("--all", "is_all", is_flag=True, help="All failed jobs.")
@click.option("--queue", shell_complete=queue_names, help="With --all: only jobs of this queue.")
@click.option("--name", shell_complete=job_names, help="With --all: only jobs of this name.")
@click.option(
    "--error",
    shell_complete=error_groups,
    help="With --all: only jobs with this error: a type, 'ValueError: no', a group of `failures`.",
)
@click.option("--tag", help="With --all: only jobs with this tag.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
def retry(
    job_ids: tuple[str, ...],
    is_all: bool,
    queue: str | None,
    name: str | None,
    error: str | None,
    tag: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Let failed or cancelled jobs run again.

    They go back to waiting, with all their attempts.
    """
    if bool(job_ids) == is_all:
        raise click.UsageError("Name jobs by their ids, or give --all.")
    if not is_all and (queue or name or error or tag):
        raise click.UsageError("--queue, --name, --error and --tag go with --all.")
    jobs = operations()
    if not is_all:
        change_each(job_ids, jobs.retry, as_json=as_json)
        return
    if will_ask(is_sure=yes):
        confirm(_question(queue, name, error, tag), is_sure=yes)
    count = jobs.retry_all(queue, name, error, tag)
    show(to_json({"retried": count}) if as_json else tell_count(count, "retried"))


def _question(queue: str | None, name: str | None, error: str | None, tag: str | None) -> str:
    parts = ["all failed", name, "jobs", queue and f"of {queue}", error and f"with {error}", tag and f"tagged {tag}"]
    asked = f"Retry {' '.join(part for part in parts if part)}"
    if error is not None and not FINGERPRINT.fullmatch(error):
        # Listings take a part of an error, where `retry_all` takes the whole type: the number would be another.
        return f"{asked}?"
    return f"{asked} ({how_many(state=JobState.FAILED, queue=queue, name=name, error=error, tag=tag)})?"


def read_payload(text: str) -> dict[str, Any]:
    """Arguments by name, from JSON; - stands for standard input.

    Raises:
        click.BadParameter: it is no JSON object.
    """
    try:
        payload = json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        reason = "it is too deep" if isinstance(error, RecursionError) else error
        raise click.BadParameter(f"this is no valid JSON: {reason}", param_hint="JSON") from None
    if not isinstance(payload, dict):
        raise click.BadParameter('give an object with the arguments by name, as in {"user_id": 7}', param_hint="JSON")
    return payload


def _job_named(broker: QueueBroker, name: str) -> type[Job]:
    """The Job class of this name."""
    actor = broker.actors.get(name)
    job: type[Job] | None = getattr(actor, "job_class", None)
    if job is not None:
        return job
    if actor is not None:
        raise QueueError(f"{one_line(name)} is a plain actor, not a Job class: send it from code, with its send().")
    names = [known for known, other in broker.actors.items() if hasattr(other, "job_class")]
    raise QueueError(f"No job named {name!r} is registered with this app (registered: {', '.join(sorted(names))}).")
