"""One run: the middleware, the handler, and the outcome that follows from them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dramatiq import Actor
from dramatiq.errors import RateLimitExceeded, Retry
from dramatiq.middleware import Interrupt, SkipMessage, TimeLimitExceeded

from ..broker import QueueBroker
from ..delivery import Delivery, current_delivery
from ..errors import JobTimeout, QueueError
from ..outcome import Completed, Failed, GivenBack, Outcome, Released, Retried
from ..payload import encode_result
from ..record import JobError
from ..retry import describe_error
from .interrupts import Guards

logger = logging.getLogger("flask_queue.worker")


class Interrupted(Interrupt):
    """Raised in a handler that is still running when the shutdown time is over. Its job goes back, unspent."""


@runtime_checkable
class RunsJob(Protocol):
    """An actor made from a Job class; the registry makes them, which this layer does not know."""

    def timeout_s(self, options: Mapping[str, Any]) -> float:
        """Seconds that a run of a job with these message options may take."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over, to be settled by the pump."""

    delivery: Delivery
    outcome: Outcome
    runtime_ms: int
    runtime_s: float


class Executor:
    """Runs deliveries, on the threads of the pools. Does no I/O for the queue: the pump settles what ended."""

    def __init__(self, broker: QueueBroker, guards: Guards) -> None:
        self._broker = broker
        self._guards = guards

    def run(self, delivery: Delivery) -> Ended:
        """Run one job to its outcome. Raises nothing."""
        started_s = time.perf_counter()
        current_delivery.set(delivery)
        try:
            outcome = self._process(delivery)
        except BaseException as error:
            # A fault of ours, or an interrupt by a middleware's own timer at the worst moment: never without outcome.
            logger.exception("Run %d of job %s ended in an unexpected way.", delivery.number, delivery.job_id)
            outcome = Failed(describe_error(error))
        finally:
            current_delivery.set(None)
        delivery.clear_exception()
        runtime_s = time.perf_counter() - started_s
        return Ended(delivery, outcome, round(runtime_s * 1000), runtime_s)

    def _process(self, delivery: Delivery) -> Outcome:
        """The order of hooks is that of Dramatiq's worker, which middleware relies on."""
        broker = self._broker
        result: Any = None
        try:
            broker.emit_before("process_message", delivery)
            if not delivery.failed:
                result = self._call(broker.get_actor(delivery.actor_name), delivery)
            delivery.is_ending = True
            broker.emit_after("process_message", delivery, result=result)
            outcome = self._ended(delivery, result)
        except SkipMessage as skip:
            outcome = self._skipped(delivery, skip)
        except BaseException as error:
            outcome = self._raised(delivery, error)
        self._acknowledge(delivery)
        # What follows from the run must be stored before it settles; else the job runs again, and sends it then.
        return GivenBack() if delivery.follow_up_lost else outcome

    def _call(self, actor: Actor[Any, Any], delivery: Delivery) -> Any:
        timeout_s = self._timeout_s(actor, delivery)
        try:
            with self._guards.current().window(timeout_s):
                return actor(*delivery.args, **delivery.kwargs)
        except TimeLimitExceeded as error:
            if not isinstance(actor, RunsJob):
                raise
            timeout = JobTimeout(f"ran longer than its timeout_s of {timeout_s:g} s")
            raise timeout.with_traceback(error.__traceback__) from None

    def _timeout_s(self, actor: Actor[Any, Any], delivery: Delivery) -> float:
        """Jobs know theirs; Dramatiq's option for plain actors is in milliseconds."""
        if isinstance(actor, RunsJob):
            return actor.timeout_s(delivery.options)
        limit_ms: float | None = delivery.options.get("time_limit") or actor.options.get("time_limit")
        return self._broker.config.timeout_s if limit_ms is None else limit_ms / 1000

    def _ended(self, delivery: Delivery, result: Any) -> Outcome:
        if delivery.outcome is not None:
            return delivery.outcome
        if delivery.failed:
            return Failed(JobError("Rejected", "a middleware, or the job itself, marked the message as failed"))
        text, was_cut = encode_result(delivery.actor_name, result, max_bytes=self._broker.config.max_result_bytes)
        return Completed(text, was_cut)

    def _skipped(self, delivery: Delivery, skip: SkipMessage) -> Outcome:
        if delivery.failed:
            delivery.stuff_exception(skip)
        reason = str(skip) or "a middleware skipped it"
        logger.warning("Job %s (%s) was skipped: %s.", delivery.job_id, delivery.actor_name, reason)
        delivery.is_ending = True
        self._broker.emit_after("skip_message", delivery)
        return delivery.outcome or Failed(describe_error(skip))

    def _raised(self, delivery: Delivery, error: BaseException) -> Outcome:
        if isinstance(error, Interrupted):
            delivery.outcome = GivenBack()
        delivery.stuff_exception(error)
        delivery.is_ending = True
        self._broker.emit_after("process_message", delivery, exception=error)
        outcome = GivenBack() if isinstance(error, Interrupted) else delivery.outcome or Failed(describe_error(error))
        _log_failure(delivery, outcome, error)
        return outcome

    def _acknowledge(self, delivery: Delivery) -> None:
        kind = "nack" if delivery.failed else "ack"
        self._broker.emit_before(kind, delivery)
        self._broker.emit_after(kind, delivery)


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
        case _:
            logger.info("Job %s (%s) was interrupted in attempt %d and goes back to its queue.", *job)
