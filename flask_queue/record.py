"""The values that cross boundaries: job states, records, pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self


class JobState(StrEnum):
    """Where a job is; it is in exactly one state at every moment."""

    WAITING = "waiting"
    #: Waits for its time: a delay of its own, or the back-off before a retry.
    DELAYED = "delayed"
    #: Claimed by a worker.
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


def state_of(value: object) -> JobState:
    """The state of this name.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(value, str) or value not in tuple(JobState):
        raise ValueError(f"give one of {', '.join(JobState)}")
    return JobState(value)


class AttemptOutcome(StrEnum):
    """How one run of a job ended."""

    COMPLETED = "completed"
    #: Failed, and runs again after its back-off.
    RETRIED = "retried"
    FAILED = "failed"
    #: Given back without spending an attempt.
    RELEASED = "released"
    CANCELLED = "cancelled"
    #: Its worker died.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class JobError:
    """An exception as it is kept, as text."""

    #: The name of its class.
    type: str
    #: What it says.
    message: str
    #: As Python prints it, from the job's own first frame; its middle is cut out where it is very long.
    traceback: str = ""
    #: The function of the app that it came from, as `shop/jobs.py:SendInvoice.handle`; empty where there is none.
    place: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a job. `number` counts runs from 1 and never restarts; `worker` is a worker id."""

    number: int
    #: How it ended.
    outcome: AttemptOutcome
    #: Aware and in UTC.
    started_at: datetime
    #: Likewise.
    finished_at: datetime
    worker: str
    #: What it raised, if it did not complete.
    error: JobError | None = None


class Progress(NamedTuple):
    """How far a job says it is: `done` of `total`, in whatever unit it counts."""

    done: float
    total: float


@dataclass(frozen=True)
class JobRecord:
    """A job as it was at the moment of reading. Times are aware and in UTC; durations in milliseconds."""

    #: `<queue>:<local id>`.
    id: str
    #: Of the Job class, or the actor.
    name: str
    #: The queue's name.
    queue: str
    #: Where it is.
    state: JobState
    #: The arguments of `handle` by name, defaults filled in; `args` and `kwargs` of a plain actor.
    payload: Mapping[str, Any]
    #: Only in listings that cut long payloads: `payload` is empty then, and this the beginning of its JSON text.
    payload_excerpt: str | None = field(default=None, kw_only=True)
    #: -100 to 100; higher ones run first.
    priority: int = 0
    #: Runs that spent an attempt since the last operator's retry.
    attempts: int = 0
    #: Started runs that were lost with their worker.
    recoveries: int = 0
    #: Runs after the first, at most.
    max_retries: int = 0
    #: When it was stored.
    created_at: datetime | None = None
    #: When a delayed job becomes due.
    scheduled_at: datetime | None = None
    #: When its last run began.
    started_at: datetime | None = None
    #: When it came to its end: completed, failed or cancelled.
    finished_at: datetime | None = None
    #: How long its last run took; None until the job is finished.
    runtime_ms: int | None = None
    #: From becoming runnable to the start of the last run.
    wait_ms: int | None = None
    #: What `handle` returned, as JSON gives it back.
    result: Any = None
    #: The result was longer than QUEUE_MAX_RESULT_BYTES: `result` is the beginning of its JSON text.
    result_cut: bool = False
    #: Of its last run, while it is failed or waits to be run again.
    error: JobError | None = None
    #: Its runs, the first first.
    history: tuple[Attempt, ...] = ()
    #: What `Job.progress` said last.
    progress: Progress | None = None
    #: The worker that has it, or had it last.
    worker: str | None = None
    #: Words by which it is found.
    tags: tuple[str, ...] = ()
    #: This dispatch stored nothing: the job existed.
    deduplicated: bool = False
    #: Not stored yet: waits for the COMMIT of a database transaction, which decides whether it will be.
    pending_commit: bool = False

    @classmethod
    def _of(cls, **fields: Any) -> Self:
        """As the constructor, in a fifth of its time: as the fields are frozen, it calls a function for each of all."""
        record = cls.__new__(cls)
        # The others are at their defaults, which the class has.
        record.__dict__.update(fields)
        return record


@dataclass(frozen=True, slots=True)
class Page:
    """Some `records` and the cursor of the page after them, None at the end."""

    records: Sequence[JobRecord]
    #: Give it to the same call for the page after this one; None at the end.
    next_cursor: str | None = None
    #: How many jobs were looked at so far, also for the pages before.
    scanned: int = 0
    #: How many there are to look at, about.
    total: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs there are; without `is_exact` that many were found until the time was over."""

    number: int
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Jobs that failed with errors of one type, from one place, and are failed still. Times are aware and in UTC."""

    #: Names the group: `retry_all(error=…)` takes it.
    fingerprint: str
    #: Class name of the error.
    type: str
    #: The function that it came from, as in `JobError.place`.
    place: str
    #: Of the last one.
    message: str
    #: How many they are.
    count: int
    #: When the first of them failed.
    first_at: datetime
    #: When the last of them failed.
    last_at: datetime
    #: Queue → how many of them are its jobs.
    queues: Mapping[str, int]
    #: Names of the last ones, each once.
    names: tuple[str, ...]
    #: How many failed in each hour of the last day, the oldest first; the last one is the current, and not over yet.
    trend: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that an operator did."""

    #: When, aware and in UTC.
    at: datetime
    #: The verb: `retry`, `cancel`, `pause` …
    action: str
    #: The full id of a job, the name of a queue, the id of a worker, or `*` for all of them.
    target: str
    #: Who it was, as the page or command knew; None for code.
    actor: str | None = None
    #: What else there is to say, as `count` of a bulk action.
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some `entries` of the audit trail, newest first."""

    entries: Sequence[AuditEntry]
    #: Give it to the same call for the page after this one; None at the end.
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A run that a worker has started; `overdue` where its `timeout_s` is over and nothing could interrupt it."""

    #: Of the job, the full one.
    id: str
    #: Of the Job class, or the actor.
    name: str
    #: The queue's name.
    queue: str
    #: Aware and in UTC.
    started_at: datetime
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A living worker process, as it last told of itself. Times are aware and in UTC."""

    #: As `quiet` and `stop` take it.
    id: str
    #: The name of its machine.
    host: str
    #: The process id there.
    pid: int
    #: Of flask-queue.
    version: str
    #: Queue → how many of its jobs run at a time.
    queues: Mapping[str, int]
    #: How many jobs run.
    busy: int
    #: Those that have started.
    running: tuple[RunningJob, ...]
    #: Memory that the process takes.
    rss_bytes: int
    #: When the process began.
    started_at: datetime
    #: When it last gave a sign of life.
    last_beat_at: datetime
    #: What an operator has asked it for, `quiet`, `restart` or `stop`; None where it works as ever.
    asked: str | None = None


class Percentiles(NamedTuple):
    """Of durations in milliseconds, each at most 10 % off; 0 below a millisecond."""

    #: Half of them took no longer.
    p50: float
    #: 95 of a hundred took no longer.
    p95: float
    #: 99 of a hundred took no longer.
    p99: float


@dataclass(frozen=True, slots=True)
class MinuteMetrics:
    """What happened in a minute, or a longer step. Runs that spent an attempt are timed."""

    #: When it began, aware and in UTC.
    at: datetime
    #: Jobs that were stored.
    dispatched: int
    #: Jobs that did their work.
    completed: int
    #: Jobs that ended failed.
    failed: int
    #: Runs that failed and were to be repeated.
    retried: int
    #: How long runs took; None where there was none.
    runtime_ms: Percentiles | None
    #: How long jobs were due before they ran.
    wait_ms: Percentiles | None


def from_ms(moment_ms: int) -> datetime | None:
    """The UTC datetime of a Unix time in milliseconds; None for 0, which stands for never."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC) if moment_ms else None
