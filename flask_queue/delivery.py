"""One run of a job, from its claim to its outcome."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from dramatiq import Message, MessageProxy

from .store.keys import full_id
from .store.state import StateRecord

if TYPE_CHECKING:
    from .broker import QueueBroker
    from .job import Job
    from .outcome import Outcome
    from .record import JobError, JobRecord

#: Names the ids of messages that a run sends when it ends; any fixed value would do.
_FOLLOW_UPS = UUID("6a1f1d8c-3f0e-4d58-9d0c-2f6f0a0f8b52")

#: The run of this thread or task. Set by the executor.
current_delivery: ContextVar[Delivery | None] = ContextVar("flask_queue_delivery", default=None)


def _nothing() -> None:
    """There is no handler to interrupt."""


def _unlimited(work: Callable[[], None]) -> None:
    work()


class Delivery(MessageProxy):
    """A claimed job, as Dramatiq's middleware sees it, with what its run has come to so far.

    Lives from claim to settle; used by one thread at a time. `claimed_ms`: when the worker took it, Unix ms of Redis.
    """

    #: What the run decided, if a middleware did; else it follows from result or exception.
    outcome: Outcome | None = None
    #: What went wrong in the run, as it is kept.
    error: JobError | None = None
    #: A thread has it; before that it can be given back unspent.
    started = False
    #: `handle` is over: what is sent now follows from this run.
    is_ending = False
    #: Something that must be stored before the job may settle could not be.
    follow_up_lost = False
    #: An operator asked the job to stop.
    cancelled = False
    #: The job has seen that.
    has_seen_cancel = False
    #: The instance of the job's class that runs, once there is one, for its hooks.
    job: Job | None = None
    #: Interrupts `handle` after a grace of its own; set while it runs.
    interrupt: Callable[[], None] = staticmethod(_nothing)
    #: Keeps time-outs and interrupts away from a part of `handle` that must not be cut in two, as an exchange with
    #: Redis: a connection that is left in the middle is lost to its pool, or brings a reply to the wrong question.
    masked: Callable[[], AbstractContextManager[None]] = nullcontext
    #: Calls a hook, for as long as `handle` may take.
    limit: Callable[[Callable[[], None]], None] = staticmethod(_unlimited)
    #: Seconds that the run may take, once they are known.
    timeout_s: float | None = None
    _follow_ups = 0

    def __init__(
        self, broker: QueueBroker, message: Message[Any], state: StateRecord, worker: str, *, claimed_ms: int = 0
    ) -> None:
        super().__init__(message)
        self.broker = broker
        self.state = state
        self.worker = worker
        self.claimed_ms = claimed_ms
        # The proxy would look each of them up by name, some fifteen times a run.
        self.queue_name = message.queue_name
        self.actor_name = message.actor_name
        self.args = message.args
        self.kwargs = message.kwargs
        self.options = message.options

    def progress(self, done: float, total: float) -> None:
        """Note how far the job is. Redis: one round trip."""
        with self.masked():
            self.broker.store.progress(self.queue_name, self.local_id, done, total)

    def log(self, line: str) -> None:
        """Append a line to the job's log. Redis: one round trip."""
        with self.masked():
            self.broker.store.log(self.queue_name, self.local_id, line)

    def own_record(self) -> JobRecord | None:
        """The job's record, where it is not in the store."""
        return None

    def ask_to_stop(self) -> None:
        """Tell the run that an operator has cancelled the job."""
        self.cancelled = True
        self.interrupt()

    @property
    def local_id(self) -> str:
        """The job's id inside its queue."""
        return self._message.message_id

    @property
    def job_id(self) -> str:
        """The job's full id."""
        return full_id(self._message.queue_name, self._message.message_id)

    @property
    def number(self) -> int:
        """The run's number, counted from 1 over the job's whole life."""
        return self.state.number

    @property
    def attempt(self) -> int:
        """Which attempt this run is, from 1; anew after an operator's retry."""
        return self.state.attempts + 1

    @property
    def age_s(self) -> float:
        """Seconds from its dispatch or, if it was delayed, from its due time, until the worker took it."""
        return (self.claimed_ms - (self.state.due_ms or self.state.created_ms)) / 1000

    def follow_up(self, message: Message[Any]) -> Message[Any]:
        """The message under an id that a repetition of this attempt would give it again, so that it is stored once.

        Messages that were made before the run, as a pipeline's next one, have such an id already.
        """
        if message.message_id in self._known_ids():
            return message
        self._follow_ups += 1
        # With the name: a run that failed, and its repetition that did not, send different messages.
        derived = uuid5(_FOLLOW_UPS, f"{self.job_id} {self.attempt} {self._follow_ups} {message.actor_name}")
        return message.copy(message_id=str(derived))

    def _known_ids(self) -> set[str]:
        target = self._message.options.get("pipe_target")
        callbacks = self._message.options.get("group_completion_callbacks") or ()
        return {made["message_id"] for made in (target, *callbacks) if made}


def uninterrupted() -> AbstractContextManager[None]:
    """Keeps interrupts away from a block of the current run, if there is one; see `Delivery.masked`."""
    run = current_delivery.get()
    return nullcontext() if run is None else run.masked()
