"""One run: the middleware, the handler, and the outcome that follows from them."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeGuard

from dramatiq import Actor
from dramatiq.errors import ActorNotFound, RateLimitExceeded, Retry
from dramatiq.middleware import Interrupt, MiddlewareError, SkipMessage, TimeLimitExceeded

from ..broker import QueueBroker
from ..delivery import Delivery, current_delivery
from ..errors import JobCancelled, JobTimeout, QueueError
from ..outcome import Cancelled, Completed, Failed, GivenBack, Outcome, Released, Retried
from ..payload import encode_result
from ..record import JobError
from ..retry import describe_error
from ..signals import job_started
from .interrupts import Guards
from .told import running_record

logger = logging.getLogger("flask_queue.worker")

#: How long a handler may go on after it was asked to stop. Coroutines are cancelled at once.
STOP_GRACE_S = 5.0

_UNKNOWN_JOB = (
    "no job named {!r} is registered with this worker's app: add its class to FlaskQueue(jobs=[…]), or start workers "
    "of the release that has it, then retry the job"
)


#: What most jobs come to.
_COMPLETED = Completed()


class Interrupted(Interrupt):
    """Raised in a handler that is still running when the shutdown time is over. Its job goes back, unspent."""


class Stopped(JobCancelled, Interrupt):
    """Raised in a handler that goes on although its job was cancelled; a `JobCancelled`, for those who clean up."""


class RunsJob(Protocol):
    """An actor made from a Job class; the registry makes them, which this layer does not know."""

    #: `handle` is a coroutine function.
    is_async: bool
    #: Names of the hooks that the class has.
    hooks: Collection[str]

    def timeout_s(self, options: Mapping[str, Any]) -> float:
        """Seconds that a run of a job with these message options may take."""
        ...


class Ended(NamedTuple):
    """A run that is over, to be settled by the pump."""

    delivery: Delivery
    outcome: Outcome
    runtime_ms: int
    runtime_s: float


@dataclass(frozen=True, slots=True)
class Crashed:
    """A thread of the worker has ended by a fault of ours. What it had in hand would stay active for ever."""

    error: BaseException


class Executor:
    """Runs deliveries, on the threads of the pools. Does no I/O for the queue: the pump settles what ended."""

    def __init__(self, broker: QueueBroker, guards: Guards) -> None:
        self._broker = broker
        self._guards = guards

    def run(self, delivery: Delivery) -> Ended:
        """Run one job to its outcome. Raises nothing."""
        started_s = time.perf_counter()
        try:
            # In a context of its own: what a run leaves in context variables ends with it.
            outcome = copy_context().run(self._process, delivery)
        except Interrupt:
            # Raised by a middleware's own timer while the run was ended: who knows how far that came.
            outcome = GivenBack()
        except BaseException as error:
            # A fault of ours, never without outcome.
            outcome = Failed(describe_error(error))
            logger.exception("Run %d of job %s ended in an unexpected way.", delivery.number, delivery.job_id)
        # Both refer to the delivery: payloads would stay until the next garbage collection.
        delivery.clear_exception()
        delivery.job = None
        runtime_s = time.perf_counter() - started_s
        return Ended(delivery, outcome, round(runtime_s * 1000), runtime_s)

    def timeout_s(self, delivery: Delivery) -> float:
        """Seconds that a run of this delivery may take. Raises nothing: a wrong option fails the run itself."""
        actor = self._broker.actors.get(delivery.actor_name)
        default_s = self._broker.config.timeout_s
        try:
            return default_s if actor is None else self._timeout_s(actor, delivery)
        except Exception:
            return default_s

    def _process(self, delivery: Delivery) -> Outcome:
        """The order of hooks is that of Dramatiq's worker, which middleware relies on."""
        current_delivery.set(delivery)
        broker = self._broker
        actor = broker.actors.get(delivery.actor_name)
        if actor is None:
            return self._unknown(delivery)
        result: Any = None
        try:
            broker.emit_before("process_message", delivery)
            if delivery.cancelled:
                raise Stopped("cancelled before it ran")
            if not delivery.failed:
                result = self._call(actor, delivery)
            delivery.is_ending = True
            broker.emit_after("process_message", delivery, result=result)
            outcome = self._ended(delivery, result)
        except SkipMessage as skip:
            outcome = self._skipped(delivery, skip)
        except BaseException as error:
            outcome = self._raised(delivery, error)
        if delivery.follow_up_lost:
            outcome = self._again_later(delivery)
        # For middleware that is told of the end.
        delivery.outcome = outcome
        self._acknowledge(delivery)
        return outcome

    def _call(self, actor: Actor[Any, Any], delivery: Delivery) -> Any:
        timeout_s = self._timeout_s(actor, delivery)
        guard = self._guards.current()
        delivery.masked = guard.masked
        if job_started.receivers:
            self._broker.tell(job_started, record=running_record(delivery))
        grace_s = STOP_GRACE_S
        if _runs_job(actor):
            grace_s = 0.0 if actor.is_async else STOP_GRACE_S
            if actor.hooks:
                delivery.limit = partial(guard.call, timeout_s)
        try:
            # Not as a context manager, which takes longer than all of it.
            delivery.interrupt = partial(guard.interrupt_after, grace_s, Stopped, guard.open(timeout_s))
            if delivery.cancelled:
                # Asked a moment ago, before there was anything to interrupt.
                delivery.interrupt()
            result = actor(*delivery.args, **delivery.kwargs)
            guard.close()
        except BaseException as error:
            # Again, where an interrupt came while the window was about to be closed.
            guard.close()
            if _runs_job(actor) and _is_from(error, TimeLimitExceeded):
                timeout = f"ran longer than its timeout_s of {timeout_s:g} s"
                raise JobTimeout(timeout).with_traceback(error.__traceback__) from None
            raise
        return result

    def _timeout_s(self, actor: Actor[Any, Any], delivery: Delivery) -> float:
        """Jobs know theirs; Dramatiq's option for plain actors is in milliseconds."""
        if delivery.timeout_s is None:
            if _runs_job(actor):
                delivery.timeout_s = actor.timeout_s(delivery.options)
            else:
                limit_ms: float | None = delivery.options.get("time_limit") or actor.options.get("time_limit")
                delivery.timeout_s = self._broker.config.timeout_s if limit_ms is None else limit_ms / 1000
        return delivery.timeout_s

    def _ended(self, delivery: Delivery, result: Any) -> Outcome:
        if delivery.outcome is not None:
            return delivery.outcome
        if delivery.has_seen_cancel:
            return Cancelled()
        if delivery.failed:
            return Failed(JobError("Rejected", "a middleware, or the job itself, marked the message as failed"))
        if result is None:
            return _COMPLETED
        text, was_cut = encode_result(delivery.actor_name, result, max_bytes=self._broker.config.max_result_bytes)
        return Completed(text, was_cut)

    def _skipped(self, delivery: Delivery, skip: SkipMessage) -> Outcome:
        if delivery.failed:
            delivery.stuff_exception(skip)
        reason = str(skip) or "a middleware skipped it"
        logger.warning("Job %s (%s) was skipped: %s.", delivery.job_id, delivery.actor_name, reason)
        delivery.is_ending = True
        outcome = delivery.outcome = delivery.outcome or Failed(describe_error(skip))
        self._broker.emit_after("skip_message", delivery)
        return outcome

    def _raised(self, delivery: Delivery, error: BaseException) -> Outcome:
        is_interrupted = _is_from(error, Interrupted)
        if is_interrupted:
            # Said before the hooks: neither a retry nor a callback follows from a run that is to be repeated.
            delivery.outcome = GivenBack()
        elif delivery.cancelled:
            delivery.outcome = Cancelled()
        decided = delivery.outcome
        delivery.stuff_exception(error)
        delivery.is_ending = True
        self._broker.emit_after("process_message", delivery, exception=error)
        outcome = decided or delivery.outcome or Failed(describe_error(error))
        _log_failure(delivery, outcome, error)
        return outcome

    def _unknown(self, delivery: Delivery) -> Outcome:
        error = JobError("UnknownJob", _UNKNOWN_JOB.format(delivery.actor_name))
        logger.error("Job %s fails: %s.", delivery.job_id, error.message)
        delivery.fail()
        delivery.stuff_exception(ActorNotFound(delivery.actor_name))
        self._acknowledge(delivery)
        return Failed(error)

    def _again_later(self, delivery: Delivery) -> Outcome:
        """What follows from a run must be stored before it settles: it could not be, so the run must be repeated."""
        # By the number, as no attempt is spent: Redis may be full for hours, and handle has effects each time.
        delay_s = self._broker.config.backoff.delay_s(delivery.number)
        text = "What follows from job %s (%s) could not be stored: it runs again in %.1f s."
        logger.warning(text, delivery.job_id, delivery.actor_name, delay_s)
        return Released(round(delay_s * 1000))

    def _acknowledge(self, delivery: Delivery) -> None:
        kind = "nack" if delivery.failed else "ack"
        try:
            self._broker.emit_before(kind, delivery)
            self._broker.emit_after(kind, delivery)
        except MiddlewareError:
            logger.exception("A middleware refused the end of job %s, which is settled all the same.", delivery.job_id)


def _runs_job(actor: Actor[Any, Any]) -> TypeGuard[RunsJob]:
    # isinstance with a protocol takes a tenth of a short run.
    return hasattr(actor, "timeout_s")


def _is_from(error: BaseException, kind: type[Interrupt]) -> bool:
    """Whether it is this interrupt, or was raised because of it, as for a coroutine that is slow to clean up."""
    return isinstance(error, kind) or isinstance(error.__cause__, kind)


def _log_failure(delivery: Delivery, outcome: Outcome, error: BaseException) -> None:
    job = (delivery.job_id, delivery.actor_name, delivery.attempt)
    match outcome:
        case Failed():
            logger.error("Job %s (%s) failed for good in attempt %d.", *job, exc_info=error)
        case Retried(delay_ms=delay_ms):
            wanted = isinstance(error, (QueueError, Retry, RateLimitExceeded)) and not isinstance(error, JobTimeout)
            text = "Job %s (%s) failed in attempt %d and runs again in %.1f s: %s"
            logger.warning(text, *job, delay_ms / 1000, error, exc_info=None if wanted else error)
        case Released(delay_ms=delay_ms):
            logger.info("Job %s (%s) gave itself back in attempt %d, for %.1f s.", *job, delay_ms / 1000)
        case Cancelled():
            logger.info("Job %s (%s) was cancelled in attempt %d.", *job)
        case _:
            logger.info("Job %s (%s) was interrupted in attempt %d and goes back to its queue.", *job)
