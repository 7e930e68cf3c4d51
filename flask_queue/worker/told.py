"""What signals tell of a job: its record, as its worker knows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..broker import QueueBroker
from ..delivery import Delivery
from ..outcome import Cancelled, Completed, Failed, Outcome, Retried
from ..payload import check_tags
from ..record import Attempt, AttemptOutcome, JobRecord, JobState, from_ms
from ..store.records import RawJob, result_of, wait_ms_of

#: Of the outcomes that signals tell of.
_ENDED: Mapping[type[Outcome], tuple[JobState, AttemptOutcome]] = {
    Completed: (JobState.COMPLETED, AttemptOutcome.COMPLETED),
    Retried: (JobState.DELAYED, AttemptOutcome.RETRIED),
    Failed: (JobState.FAILED, AttemptOutcome.FAILED),
    Cancelled: (JobState.CANCELLED, AttemptOutcome.CANCELLED),
}


def running_record(delivery: Delivery) -> JobRecord:
    """The record of a job whose run begins."""
    return _record(delivery, JobState.ACTIVE, started_ms=delivery.state.started_ms or time.time_ns() // 1_000_000)


def ended_record(delivery: Delivery, outcome: Outcome, *, runtime_ms: int, now_ms: int) -> JobRecord:
    """The record of a job after its run was settled; its history has this run alone.

    Args:
        delivery: the run.
        outcome: as it was settled.
        runtime_ms: how long the run took.
        now_ms: when it was settled, Unix ms of Redis's clock.
    """
    state, how = _ENDED[type(outcome)]
    error = outcome.error if isinstance(outcome, Failed | Retried) else None
    spends_attempt = isinstance(outcome, Completed | Retried) or (
        isinstance(outcome, Failed) and outcome.spends_attempt
    )
    started_ms = now_ms - runtime_ms
    run = Attempt(delivery.number, how, _moment(started_ms), _moment(now_ms), delivery.worker, error)
    facts: dict[str, Any] = {"finished_at": _moment(now_ms), "runtime_ms": runtime_ms}
    if isinstance(outcome, Completed):
        result = result_of(outcome.result, is_cut=outcome.result_cut)
        facts.update(result=result, result_cut=outcome.result_cut)
    elif isinstance(outcome, Retried):
        state = JobState.DELAYED if outcome.delay_ms else JobState.WAITING
        facts = {"scheduled_at": _moment(now_ms + outcome.delay_ms)}
    elif isinstance(outcome, Cancelled):
        facts["scheduled_at"] = None
    attempts = delivery.state.attempts + spends_attempt
    return _record(delivery, state, started_ms=started_ms, attempts=attempts, error=error, history=(run,), **facts)


def lost_record(job: RawJob, broker: QueueBroker) -> JobRecord:
    """The record of a job that ended with its worker."""
    return job.record(broker.max_retries_of(job.name))


def _record(delivery: Delivery, state: JobState, **facts: Any) -> JobRecord:
    known, broker, name = delivery.state, delivery.broker, delivery.actor_name
    started_ms: int = facts.pop("started_ms")
    due_at = from_ms(known.due_ms)
    given: dict[str, Any] = {"attempts": known.attempts, "scheduled_at": due_at, **facts}
    return JobRecord(
        id=delivery.job_id,
        name=name,
        queue=delivery.queue_name,
        state=state,
        payload={"args": list(delivery.args), "kwargs": delivery.kwargs} if delivery.args else delivery.kwargs,
        priority=known.priority,
        recoveries=known.recoveries,
        max_retries=delivery.options.get("max_retries", broker.max_retries_of(name)),
        created_at=from_ms(known.created_ms),
        started_at=_moment(started_ms),
        # By the record as it was claimed: what has become of the job since does not matter to the wait before its run.
        wait_ms=wait_ms_of(known._replace(started_ms=started_ms)),
        worker=delivery.worker,
        tags=_tags(delivery),
        **given,
    )


def _tags(delivery: Delivery) -> tuple[str, ...]:
    """Made anew from the payload, as they were at dispatch."""
    job = getattr(delivery.broker.actors.get(delivery.actor_name), "job_class", None)
    try:
        return () if job is None else check_tags(job.name, job.tags(**delivery.kwargs))
    except Exception:
        # Of a class that has changed since.
        return ()


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
