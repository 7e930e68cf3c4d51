"""Why a job is where it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ... import times
from ...record import JobRecord, JobState, WorkerInfo
from .. import show
from ..desk import Desk
from .advice import Advice

#: Characters of an error's message in the headline.
MOST_MESSAGE = 300


def diagnose(desk: Desk, record: JobRecord, workers: Sequence[WorkerInfo]) -> list[Advice]:
    """What an operator should know first. Redis: one command for a job that waits."""
    match record.state:
        case JobState.FAILED:
            return list(_failed(record))
        case JobState.WAITING | JobState.DELAYED:
            return list(_waits(desk, record, workers))
        case JobState.ACTIVE:
            return list(_runs(desk, record, workers))
        case _:
            return []


def _failed(record: JobRecord) -> Iterator[Advice]:
    if (error := record.error) is not None:
        tried = f"It failed in attempt {record.attempts} of {record.max_retries + 1}."
        remedy = "Its payload is gone: it can only be deleted." if not record.name else "Mend the cause, then retry it."
        yield Advice("error", headline(error.type, error.message), f"{tried} {remedy}" if record.attempts else remedy)


def _waits(desk: Desk, record: JobRecord, workers: Sequence[WorkerInfo]) -> Iterator[Advice]:
    reason = desk.monitor.pause_reason(record.queue)
    if reason is not None:
        why = f" ({reason})" if reason else ""
        message = f"{record.queue} is paused{why}."
        yield Advice("warning", message, "Jobs run once it is resumed.", "queue", record.queue)
    elif not any(worker.queues.get(record.queue) for worker in workers):
        remedy = f"Start one: flask queue work --queues {record.queue}"
        yield Advice("error", f"No worker takes jobs of {record.queue}.", remedy, "workers")
    if record.error is not None:
        message = headline(record.error.type, record.error.message)
        yield Advice("warning", message, f"Attempt {record.attempts} of {record.max_retries + 1}; it runs again.")


def _runs(desk: Desk, record: JobRecord, workers: Sequence[WorkerInfo]) -> Iterator[Advice]:
    if record.worker is None:
        return
    worker = next((worker for worker in workers if worker.id == record.worker), None)
    if worker is None:
        message = f"Its worker {record.worker} is not heard of."
        remedy = f"If it is dead, the job goes back to its queue within some {times.duration(desk.config.lease_ms)}."
        yield Advice("warning", message, remedy, "workers")
    elif any(run.id == record.id and run.overdue for run in worker.running):
        message = "It has run longer than its time-out, and nothing could interrupt it."
        yield Advice("error", message, f"See what holds it; if need be, end worker {worker.id}.", "workers")


def headline(kind: str, message: str) -> str:
    """An error on one line."""
    return show.excerpt(f"{kind}: {message}" if message else kind, MOST_MESSAGE)
