"""The Dramatiq broker of one app: actors and messages as Dramatiq knows them, kept in our store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from blinker import NamedSignal
from dramatiq import Consumer, Message, Middleware
from dramatiq.actor import Actor
from dramatiq.middleware import Retries
from flask import Flask

from .batches import Batches, NewJob
from .config import Config, Queue
from .delivery import Delivery, current_delivery, uninterrupted
from .emit import USE_OUR_WORKERS, EmittingBroker
from .errors import ConfigError, InvalidPayload, JobIdConflict, PayloadTooLarge, QueueUnavailable, UnknownQueue
from .outcome import GivenBack, Retried
from .record import JobError, JobRecord, JobState, from_ms
from .signals import job_dispatch_failed, job_dispatched, tell
from .store.codec import pack
from .store.keys import full_id
from .store.records import RawJob
from .store.store import Store
from .store.transitions import Batch, Retention, Stored
from .substitutes import EVERYWHERE, Substitute, Substitutes

#: Dramatiq runs lower numbers first and has no bounds; ours run higher ones first, within these.
MAX_PRIORITY = 100


class QueueBroker(EmittingBroker):
    """Stores messages for our workers.

    Safe to share between threads. `middleware` is a keyword, as in every Dramatiq broker: monitoring tools patch it.
    """

    def __init__(self, config: Config, store: Store, *, middleware: list[Middleware] | None = None) -> None:
        super().__init__(middleware=middleware)
        #: The app, which is weakly referenced; None once it is gone, or if there never was one.
        self.app: Callable[[], Flask | None] = lambda: None
        #: What may stand in for the store: those of the app's extension.
        self.substitutes = Substitutes()
        self.config = config
        self.store = store
        self.retention = Retention(
            config.keep_completed,
            round(config.keep_completed_s * 1000),
            config.keep_failed,
            round(config.keep_failed_s * 1000),
        )
        self.queues: dict[str, Queue] = {}
        for name in config.queues:
            self.declare_queue(name)

    def declare_queue(self, queue_name: str) -> None:
        """Make a queue known; one that the configuration lacks gets its default concurrency."""
        if queue_name in self.queues:
            return
        self.emit_before("declare_queue", queue_name)
        self.queues[queue_name] = self.config.queues.get(queue_name) or Queue(queue_name)
        self.emit_after("declare_queue", queue_name)

    def declare_actor(self, actor: Actor[Any, Any]) -> None:
        """Make an actor known. Its name is stored on a line of its own, so it cannot hold a line break."""
        if "\n" in actor.actor_name:
            raise ConfigError([f"the actor name {actor.actor_name!r} must not contain a line break"])
        super().declare_actor(actor)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Store a message; `delay` in milliseconds.

        A run that sends its own message again, as Dramatiq's Retries does, is settled that way instead.

        Raises:
            UnknownQueue, InvalidPayload, PayloadTooLarge, QueueUnavailable: nothing was stored, unless it says so.
        """
        run = current_delivery.get()
        if run is not None and run.broker is self:
            if message.message_id == run.local_id and message.queue_name == run.queue_name:
                return self._run_again(run, message, delay)
            if run.is_ending:
                return self._follow_up(run, message, delay)
        self.dispatch([self._new_job(message, delay)])
        return message

    def dispatch(self, jobs: Iterable[NewJob]) -> list[JobRecord]:
        """Store jobs. Redis: one round trip for each 256 of a queue, or for fewer where they are large.

        Args:
            jobs: each is made when its turn comes. Where there are more, all must be known to be storable; what
                middleware makes of them is looked at before one is stored.

        Returns: their records in order; `deduplicated` ones existed and were left as they are.

        Raises:
            UnknownQueue, InvalidPayload, PayloadTooLarge: nothing was stored.
            JobIdConflict: an id belongs to a job of another name; the error has the records of those that were stored.
            QueueUnavailable: with the records stored so far. Sending again under the same ids is safe.
        """
        substitute = self.substitute
        batches = Batches(self._heard_of(jobs), self.pack)
        replies = self._enqueue(batches, substitute)
        records: list[JobRecord] = []
        conflict: JobIdConflict | None = None
        while True:
            try:
                with uninterrupted():
                    reply = next(replies, None)
            except QueueUnavailable as error:
                error.stored = tuple(records)
                self.tell_of_failure(batches.rest, error)
                raise
            if reply is None:
                break
            stored, taken = self._told(batches.told(), reply)
            records += stored if substitute is None else substitute.stored(self, stored)
            if taken is not None:
                batches.stop()
                conflict = conflict or taken
        if conflict is not None:
            conflict.stored = tuple(records)
            raise conflict
        return records

    @property
    def substitute(self) -> Substitute | None:
        """What stands in for the store, while a test says so."""
        return self.substitutes.current or EVERYWHERE.current

    def unstored(self, job: NewJob) -> JobRecord:
        """The record of a job that is not stored, about as `dispatch` returns it."""
        limit = self.max_retries_of(job.message.actor_name)
        return self._record(job, time.time_ns() // 1_000_000, limit, created_at=None)

    def tell_of_failure(self, jobs: Sequence[NewJob], error: Exception) -> None:
        """Send `job_dispatch_failed` for each of these jobs."""
        reason = JobError(type(error).__name__, str(error))
        for job in jobs if job_dispatch_failed.receivers else ():
            self.tell(job_dispatch_failed, record=replace(self.unstored(job), error=reason))

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30000) -> Consumer:
        """Refuse: Dramatiq's own worker would take jobs without the guarantees of ours."""
        raise ConfigError([USE_OUR_WORKERS])

    def max_retries_of(self, name: str) -> int:
        """How often a job of this name is retried where its dispatch said nothing."""
        actor = self.actors.get(name)
        limit = actor.options.get("max_retries") if actor else None
        if limit is None and actor is not None and not hasattr(actor, "retry_policy"):
            # A plain actor, which Dramatiq's middleware retries.
            limit = next((each.max_retries for each in self.middleware if isinstance(each, Retries)), None)
        return self.config.max_retries if limit is None else int(limit)

    def close(self) -> None:
        """Close the connections."""
        self.store.close()

    def tell(self, signal: NamedSignal, **facts: Any) -> None:
        """Send a signal of the app's; as `signals.tell`."""
        app = self.app()
        if app is not None:
            tell(app, signal, **facts)

    def _new_job(self, message: Message[Any], delay: int | None) -> NewJob:
        actor = self.actors.get(message.actor_name)
        priority = max(-MAX_PRIORITY, min(MAX_PRIORITY, -actor.priority if actor else 0))
        return NewJob(message, delay_ms=delay or 0, priority=priority, keeps_timestamp=True)

    def _run_again(self, run: Delivery, message: Message[Any], delay: int | None) -> Message[Any]:
        error = run.error or JobError("Retry", "the job was sent again by its own run")
        self.emit_before("enqueue", message, delay)
        run.outcome = Retried(delay or 0, error, pack(message, timestamp=True))
        self.emit_after("enqueue", message, delay)
        return message

    def _follow_up(self, run: Delivery, message: Message[Any], delay: int | None) -> Message[Any]:
        if isinstance(run.outcome, GivenBack):
            # It was interrupted: its repetition decides what follows.
            return message
        message = run.follow_up(message)
        # Its id must be remembered even where its record is gone by the time that this run is repeated.
        try:
            self.dispatch([self._new_job(message, delay)._replace(explicit_id=True)])
        except QueueUnavailable:
            run.follow_up_lost = True
            raise
        return message

    def pack(self, job: NewJob) -> bytes:
        """A job's message as it is stored. Raises UnknownQueue, InvalidPayload, PayloadTooLarge."""
        message = job.message
        if message.queue_name not in self.queues:
            raise UnknownQueue(message.queue_name, tuple(self.queues))
        try:
            data = pack(message, kwargs=job.kwargs_json, timestamp=job.keeps_timestamp)
        except (TypeError, ValueError) as error:
            raise InvalidPayload(message.actor_name, "$", f"JSON cannot hold it: {error}") from None
        if job.kwargs_json is None:
            # The payload as users count it: neither the name nor a job's options are part of it.
            _, kwargs, *rest = data.split(b"\n")
            size = len(kwargs) + (len(rest[0]) if message.args else 0)
            if size > self.config.max_payload_bytes:
                raise PayloadTooLarge(size, self.config.max_payload_bytes)
        return data

    def _heard_of(self, jobs: Iterable[NewJob]) -> Iterable[NewJob]:
        """The jobs as middleware that is told first leaves them: Sentry and Tracing add what a job belongs to."""
        changes = self.has_before("enqueue")
        if not changes and not self.has_before("delay_message"):
            return jobs
        told = list(jobs)
        for job in told:
            if job.delay_ms or job.due_ms:
                # Dramatiq's workers emit this; ours never hold a delayed message.
                self.emit_before("delay_message", job.message)
            self.emit_before("enqueue", job.message, job.delay_ms or None)
        if changes:
            told = [job._replace(kwargs_json=None) for job in told]
            for job in told:
                # All, before one is stored: a payload may be another by now.
                self.pack(job)
        return told

    def _enqueue(self, batches: Iterable[Batch], substitute: Substitute | None) -> Iterator[Stored]:
        """A reply for each batch."""
        if substitute is not None:
            return (substitute.enqueue(self, *batch) for batch in batches)
        return self.store.enqueue_each(batches)

    def _told(self, batch: Sequence[NewJob], reply: Stored) -> tuple[list[JobRecord], JobIdConflict | None]:
        """The records of stored jobs of one queue, but for those whose id is taken, and the error of the first."""
        now_ms, existing = reply
        created_at = from_ms(now_ms)
        records, conflicts = [], []
        name, limit = "", 0
        for position, job in enumerate(batch):
            message = job.message
            if message.actor_name != name:
                name = message.actor_name
                limit = self.max_retries_of(name)
            found = existing.get(position)
            if found is not None and found.name != name:
                conflicts.append(JobIdConflict(full_id(message.queue_name, message.message_id), found.name))
                continue
            if found is None:
                record = self._record(job, now_ms, limit, created_at=created_at)
            else:
                record = self._existing(job, found)
            records.append(record)
            self.emit_after("enqueue", message, job.delay_ms or None)
            if job_dispatched.receivers and not record.deduplicated:
                self.tell(job_dispatched, record=record)
        return records, conflicts[0] if conflicts else None

    def _existing(self, job: NewJob, existing: RawJob) -> JobRecord:
        is_other = existing.local_id != job.message.message_id
        # An id that we made can only exist because this call was sent again.
        return existing.record(self.max_retries_of(existing.name), deduplicated=is_other or job.explicit_id)

    def _record(self, job: NewJob, now_ms: int, max_retries: int, *, created_at: datetime | None) -> JobRecord:
        message = job.message
        due_ms = job.due_ms or (now_ms + job.delay_ms if job.delay_ms else 0)
        is_delayed = due_ms > now_ms
        return JobRecord._of(
            id=full_id(message.queue_name, message.message_id),
            name=message.actor_name,
            queue=message.queue_name,
            state=JobState.DELAYED if is_delayed else JobState.WAITING,
            payload={"args": list(message.args), "kwargs": message.kwargs} if message.args else message.kwargs,
            priority=job.priority,
            max_retries=message.options.get("max_retries", max_retries),
            created_at=created_at,
            scheduled_at=from_ms(due_ms) if is_delayed else None,
            tags=job.tags,
        )
