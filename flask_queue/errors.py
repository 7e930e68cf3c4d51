"""What can go wrong, one class for each thing that the caller can do something about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dramatiq.errors import QueueNotFound

if TYPE_CHECKING:
    from .record import JobRecord


class QueueError(Exception):
    """The root of every error that flask-queue raises."""


class ConfigError(QueueError):
    """The configuration or the registry is wrong; `faults` lists everything that is, not just the first."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(["flask-queue is not configured correctly:", *(f"  - {f}" for f in self.faults)]))


class QueueUnavailable(QueueError):
    """Redis could not be reached, did not answer in time, or refused to serve.

    `job_id` is the full id of the job whose dispatch was interrupted, or None. The job may have been stored:
    dispatching again with that id is safe. `stored` holds the records that a bulk dispatch had stored before.
    """

    def __init__(self, message: str, *, job_id: str | None = None, stored: Sequence[JobRecord] = ()) -> None:
        self.job_id = job_id
        self.stored = tuple(stored)
        super().__init__(message)


class JobNotFound(QueueError):
    """No job has this `job_id`: it never existed, was deleted, or its record outlived the retention limits."""

    def __init__(self, job_id: str, hint: str = "It never existed, was deleted, or retention removed it.") -> None:
        self.job_id = job_id
        super().__init__(f"No job {job_id!r}. {hint}")


class JobStateError(QueueError):
    """The job is not in a state in which this can be done to it. Nothing was changed.

    `job_id` is its full id, `expected` the states in which it could be done, `actual` that in which the job is, or what
    else keeps it.
    """

    def __init__(self, job_id: str, expected: Sequence[str], actual: str) -> None:
        self.job_id = job_id
        self.expected = tuple(expected)
        self.actual = actual
        # A state is one word; what else is in the way says enough, and the state may be the one that is needed.
        needs = "" if " " in actual else f"; this needs a job that is {' or '.join(self.expected)}"
        super().__init__(f"Job {job_id!r} is {actual}{needs}.")


class JobIdConflict(QueueError):
    """The id is taken by a job with another name, so this job was not stored.

    `job_id` is the full id, `taken_by` the name of the job that has it. `stored` holds the records of the others where
    it was one of many.
    """

    def __init__(self, job_id: str, taken_by: str) -> None:
        self.job_id = job_id
        self.taken_by = taken_by
        self.stored: tuple[JobRecord, ...] = ()
        super().__init__(f"The id {job_id!r} already belongs to a {taken_by} job; use another job_id.")


class JobNotRegistered(QueueError):
    """The Job class named `job` is not registered with the current app's FlaskQueue, so no worker could run it."""

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(
            f"{job} is not registered with this app: add it to FlaskQueue(jobs=[…]) or call queue.register({job})."
        )


class UnknownQueue(QueueError, QueueNotFound):
    """No `queue` of this name is configured. Also Dramatiq's `QueueNotFound`, for code that was written for it."""

    def __init__(self, queue: str, known: Sequence[str] = ()) -> None:
        self.queue = queue
        names = ", ".join(sorted(known)) or "none"
        super().__init__(  # type: ignore[no-untyped-call] # Dramatiq's
            f"No queue {queue!r} is configured (configured: {names}). Add it to FlaskQueue(queues=[…])."
        )


class InvalidPayload(QueueError):
    """The arguments are not what `handle` takes, or JSON cannot hold them. Nothing was stored.

    `job` is the job's name. `path` names the place in the payload, as in `$.user.created`; it is `$` for the payload as
    a whole.
    """

    def __init__(self, job: str, path: str, reason: str) -> None:
        self.job = job
        self.path = path
        super().__init__(f"{job}: {path}: {reason}")


class PayloadTooLarge(QueueError):
    """The payload's `size` is over the `limit`, QUEUE_MAX_PAYLOAD_BYTES, in bytes of JSON. Nothing was stored."""

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"The payload has {size:,} bytes of JSON, over the limit of {limit:,}: store the data elsewhere and "
            "dispatch an identifier, or raise QUEUE_MAX_PAYLOAD_BYTES."
        )


class JobTimeout(QueueError):
    """A run took longer than its `timeout_s`."""


class JobExpired(QueueError):
    """The job was older than its `max_age_s` when its turn came: it did not run, and spent no attempt."""


class JobCancelled(QueueError):
    """The job was cancelled while it ran."""


class WorkerLost(QueueError):
    """The job's worker died under it more often than QUEUE_MAX_RECOVERIES allows."""


class UnknownJob(QueueError):
    """A worker took a job whose name is not registered with its app."""


class Retry(QueueError):
    """Raise it in `handle` to run the job again; it counts against `max_retries`.

    Args:
        reason: kept with the attempt.
        delay_s: seconds until the next run; None means the job's back-off.
    """

    def __init__(self, reason: str = "", *, delay_s: float | None = None) -> None:
        self.delay_s = delay_s
        super().__init__(reason or "the job asked to run again")


class Fail(QueueError):
    """Raise it in `handle` to fail the job now, without more retries.

    Args:
        reason: kept with the attempt.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "the job gave up")


class Release(QueueError):
    """Raise it in `handle` to give the job back without spending an attempt.

    Args:
        delay_s: seconds until it may run again; 0 puts it at the end of its queue.
    """

    def __init__(self, *, delay_s: float = 0) -> None:
        self.delay_s = delay_s
        super().__init__(f"released for {delay_s} s")
