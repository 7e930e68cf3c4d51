"""Job: the class that users write, with dispatch typed by the parameters of its `handle`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, Protocol, cast

from .backoff import Backoff
from .dispatch import dispatch, dispatch_many
from .errors import QueueError
from .options import DEFAULTS, DispatchOptions, make_options
from .payload import storable
from .record import JobRecord
from .store.queries import Queries

if TYPE_CHECKING:
    from .delivery import Delivery

P = ParamSpec("P")

ErrorTypes = type[BaseException] | Sequence[type[BaseException]]


class Handles(Protocol[P]):
    """A class with a `handle` method, plain or `async`."""

    def handle(self, *args: P.args, **kwargs: P.kwargs) -> object:
        """Do the work."""


class Dispatcher(Generic[P]):
    """Sends jobs of one class with the options that were given to `Job.options(…)`."""

    __slots__ = ("_job", "_options")

    def __init__(self, job: type[Job], options: DispatchOptions) -> None:
        self._job = job
        self._options = options

    def dispatch(self, *args: P.args, **kwargs: P.kwargs) -> JobRecord:
        """Store a job that calls `handle` with these arguments. Redis: one round trip.

        Returns: its record; `deduplicated` is set where it is that of a job which was there, of the same id or key,
            and `pending_commit` where the job waits for a COMMIT: until then it is only checked.

        Raises:
            InvalidPayload: these are not the arguments of `handle`, or JSON cannot hold them.
            PayloadTooLarge: over QUEUE_MAX_PAYLOAD_BYTES.
            JobNotRegistered: the class is not registered with the current app.
            UnknownQueue: its queue is not configured.
            JobIdConflict: the id belongs to a job of another name.
            QueueUnavailable: Redis did not answer in time; the job may have been stored, its `job_id` is in the error.
            ConfigError: it is to wait for a COMMIT, and the app has no Flask-SQLAlchemy.
            QueueError: outside of an app context.
            ValueError: there is a `unique_key`, and nothing says for how long.
        """
        return dispatch(self._job, args, kwargs, self._options)

    def dispatch_many(
        self, payloads: Iterable[Mapping[str, Any]], *, job_ids: Sequence[str] | None = None
    ) -> list[JobRecord]:
        """Check all payloads, then store a job for each. Redis: one round trip for each 256.

        Args:
            payloads: the arguments of each job, by name.
            job_ids: one for each, so that what may have been stored can be sent again.

        Returns: the records in order.

        Raises:
            InvalidPayload, PayloadTooLarge, JobNotRegistered, UnknownQueue: as `dispatch`; nothing was stored.
            ValueError: the ids are not one for each payload.
            QueueUnavailable: `stored` has the records that were stored before.
        """
        return dispatch_many(self._job, payloads, self._options, job_ids)


class DispatchManyCall(Protocol):
    """The signature of `Job.dispatch_many`."""

    def __call__(
        self, payloads: Iterable[Mapping[str, Any]], *, job_ids: Sequence[str] | None = None
    ) -> list[JobRecord]:
        """Store many."""
        ...


class OptionsCall(Generic[P]):
    """`Job.options`: call it with options, then dispatch."""

    __slots__ = ("_job",)

    def __init__(self, job: type[Job]) -> None:
        self._job = job

    def __call__(
        self,
        *,
        delay_s: float | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        queue_name: str | None = None,
        max_retries: int | None = None,
        timeout_s: float | None = None,
        unique_for_s: float | None = None,
        unique_key: str | None = None,
        job_id: str | None = None,
        after_commit: bool | None = None,
    ) -> Dispatcher[P]:
        """How the jobs that are dispatched next differ from what their class says; None means no difference.

        Args:
            delay_s: seconds from now until it may run.
            at: when it may run, with a time zone; instead of `delay_s`.
            priority: -100 to 100; higher ones run first.
            queue_name: another queue.
            max_retries: runs after the first, at most.
            timeout_s: seconds that a run may take.
            unique_for_s: seconds in which dispatch returns an unsettled job of the same key instead of storing another.
            unique_key: the key, in place of that which `unique_by` makes.
            job_id: makes dispatch idempotent in its queue: 1 to 128 letters, digits, dots, `_` and `-`.
            after_commit: wait for the COMMIT of the transaction that is open in Flask-SQLAlchemy's session, if any.

        Raises:
            ValueError: an option has a wrong value.
        """
        options = make_options(
            delay_s=delay_s,
            at=at,
            priority=priority,
            queue_name=queue_name,
            max_retries=max_retries,
            timeout_s=timeout_s,
            unique_for_s=unique_for_s,
            unique_key=unique_key,
            job_id=job_id,
            after_commit=after_commit,
        )
        return Dispatcher(self._job, options)


class _Dispatch:
    def __get__(self, instance: object, owner: type[Handles[P]]) -> Callable[P, JobRecord]:
        # Not `Dispatcher[P](…)`, which takes seven times as long.
        dispatcher: Dispatcher[P] = Dispatcher(cast("type[Job]", owner), DEFAULTS)
        return dispatcher.dispatch


class _DispatchMany:
    def __get__(self, instance: object, owner: type[Handles[P]]) -> DispatchManyCall:
        return Dispatcher(cast("type[Job]", owner), DEFAULTS).dispatch_many


class _Options:
    def __get__(self, instance: object, owner: type[Handles[P]]) -> OptionsCall[P]:
        return OptionsCall(cast("type[Job]", owner))


class Job:
    """A background job: subclass it, write `handle`, register the class with FlaskQueue.

    There is no `handle` here, so that type checkers refuse to dispatch a class that lacks one. A new instance is made
    for every run. Called by hand, as tests do, `handle` runs like any method: `progress` and `log` then do nothing.
    """

    #: Unique among an app's jobs; the class name unless the class sets it.
    name: ClassVar[str] = ""
    #: Where its jobs wait, unless a dispatch says otherwise.
    queue_name: ClassVar[str] = "default"
    #: Runs after the first, at most; None for QUEUE_MAX_RETRIES.
    max_retries: ClassVar[int | None] = None
    #: Seconds before each retry, the last value repeats; None for QUEUE_BACKOFF.
    backoff: ClassVar[Backoff | Sequence[float] | None] = None
    #: Seconds that a run may take; None for QUEUE_TIMEOUT_S.
    timeout_s: ClassVar[float | None] = None
    #: -100 to 100; higher ones run first inside a queue.
    priority: ClassVar[int] = 0
    #: While an unsettled job of this name has the same key in its queue, for so many seconds at most, dispatch returns
    #: that job's record, marked `deduplicated`; None for jobs that may be there twice.
    unique_for_s: ClassVar[float | None] = None
    #: A job that is older when its turn comes fails with JobExpired instead of running, and spends no attempt. Counted
    #: in seconds from its dispatch or, if it was delayed, also before a retry, from its due time; None for any age.
    max_age_s: ClassVar[float | None] = None
    #: Wait for the COMMIT of the transaction that is open in Flask-SQLAlchemy's session, if any, and be dropped at its
    #: ROLLBACK; None for QUEUE_AFTER_COMMIT.
    after_commit: ClassVar[bool | None] = None
    #: Only these errors are retried; None for all.
    retry_on: ClassVar[ErrorTypes | None] = None
    #: These errors are never retried; wins over `retry_on`.
    fail_on: ClassVar[ErrorTypes] = ()

    # Documented where they lead to: by `Dispatcher` and `OptionsCall`.
    dispatch = _Dispatch()
    dispatch_many = _DispatchMany()
    options = _Options()

    _run: Delivery | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__

    @staticmethod
    def unique_by(*_: Any, **payload: Any) -> str:
        """The key by which a job with `unique_for_s` is unique; by default its whole `payload`.

        Override it as a static method that takes the payload by name, as `handle` does, with all its defaults.
        """
        return json.dumps(payload, sort_keys=True)

    @staticmethod
    def tags(*_: Any, **payload: Any) -> Sequence[str]:
        """Words by which the job is found, in any state: at most 20, each of 1 to 100 printable characters; none here.

        Override it as a static method that takes the `payload` by name, as `handle` does, with all its defaults.
        """
        return ()

    def on_completed(self, result: Any, /) -> object:
        """Override it for what follows from success; `result` is what `handle` returned.

        Called at the end of the run, on the instance that ran, in its app context: on its thread or, if it is `async`,
        on the event loop, for at most `timeout_s` more. What it raises is logged, and changes nothing. As the run, it
        can happen twice: the end of the run is stored after it.
        """

    def on_failed(self, error: Any, /) -> object:
        """Override it for what follows from failure; `error` is the exception that ended the last attempt.

        Called as `on_completed`, once no retry is left. Not where the job ends without a run of its own: where it lost
        too many workers, or no worker knows its name; the signal `job_failed` tells of these, too.
        """

    @property
    def job_id(self) -> str:
        """The full id of this job."""
        return self._running().job_id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1; anew after an operator's retry."""
        return self._running().attempt

    @property
    def record(self) -> JobRecord:
        """The job as the store has it now. Redis: one round trip."""
        run = self._running()
        if (record := run.own_record()) is not None:
            return record
        reads = Queries(run.broker.store, list(run.broker.queues), run.broker.max_retries_of)
        with run.masked():
            return reads.get(run.queue_name, run.local_id)

    @property
    def cancelled(self) -> bool:
        """Whether an operator has asked the job to stop."""
        if self._run is None or not self._run.cancelled:
            return False
        self._run.has_seen_cancel = True
        return True

    def progress(self, done: float, total: float = 100) -> None:
        """Say how far the job is. Redis: one round trip.

        Args:
            done: so much is, in whatever unit.
            total: of so much.

        Raises:
            ValueError: not two finite numbers, or `total` is not above 0.
        """
        if not (math.isfinite(done) and math.isfinite(total) and total > 0):
            raise ValueError(f"progress({done!r}, {total!r}): give two numbers, the second above 0")
        if self._run is not None:
            self._run.progress(done, total)

    def log(self, line: str) -> None:
        """Append a `line` to the job's log, of which the newest 1,000 are kept. Redis: one round trip."""
        if self._run is not None:
            self._run.log(storable(str(line)))

    def _running(self) -> Delivery:
        if self._run is None:
            raise QueueError(f"{type(self).__name__} has no id, attempt or record outside of a run by a worker.")
        return self._run
