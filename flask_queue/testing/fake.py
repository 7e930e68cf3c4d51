"""`queue.fake()` and `queue.inline()`: what is dispatched stays in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..actors import QueueActor
from ..broker import QueueBroker
from ..job import Job
from ..outcome import GivenBack, Released
from ..record import JobRecord
from ..store.codec import unpack
from ..store.keys import full_id
from ..store.records import RawJob
from ..store.transitions import NewEntry
from ..worker.announcer import SIGNALS
from ..worker.told import ended_record
from .memory import Kept, Memory, now_ms
from .messages import describe, differences, holds, uncommitted
from .runs import HeldDelivery, run

#: The id of the worker that a run inside a block shows.
WORKER = "inline"

#: A Job class, or what `queue.actor(…)` made.
Dispatched = type[Job] | QueueActor[Any, Any]


class Fake:
    """Records what is dispatched, and runs nothing; made by `queue.fake()`. Needs no Redis.

    Everything is checked as ever, and the payloads are what JSON makes of them. Safe to use from all threads.
    """

    def __init__(self) -> None:
        self._memory = Memory()
        #: By full id, what waited for a COMMIT that did not come yet. Each change is one step, for all threads.
        self._held: dict[str, JobRecord] = {}

    def dispatched(self, job: Dispatched | None = None) -> list[JobRecord]:
        """The records of what was dispatched, the first first, of all apps; deduplicated dispatches are none.

        Args:
            job: only of this one.
        """
        name = None if job is None else _name(job)
        records = [kept.record for kept in self._memory.all()]
        return records if name is None else [record for record in records if record.name == name]

    def assert_dispatched(
        self,
        job: Dispatched,
        payload: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
        queue: str | None = None,
        where: Callable[[JobRecord], bool] | None = None,
    ) -> None:
        """Fail unless it was dispatched.

        Args:
            job: its class, or what `queue.actor(…)` made.
            payload: what the payload must have, among other things; so must the objects in it.
            times: exactly so often; None for at least once.
            queue: on this queue.
            where: must be true of the record.

        Raises:
            AssertionError: with everything that was dispatched, and where it differs.
        """
        __tracebackhide__ = True
        found = [record for record in self.dispatched(job) if holds(record, payload, queue, where)]
        if bool(found) if times is None else len(found) == times:
            return
        wanted = "at least once" if times is None else _times(times)
        told = _name(job) + describe(payload, queue, where)
        raise AssertionError(
            f"{told} was dispatched {_times(len(found))}, not {wanted}.\n{self._list(job, payload, queue, where)}"
        )

    def assert_not_dispatched(self, job: Dispatched, payload: Mapping[str, Any] | None = None) -> None:
        """Fail if it was dispatched, with such a payload if one is given.

        Args:
            job: its class, or what `queue.actor(…)` made.
            payload: what the payload must have, among other things.

        Raises:
            AssertionError: with everything that was dispatched.
        """
        __tracebackhide__ = True
        count = sum(holds(record, payload, None, None) for record in self.dispatched(job))
        if count:
            told = _name(job) + describe(payload, None, None)
            raise AssertionError(f"{told} was dispatched {_times(count)}, not never.\n{self._list()}")

    def assert_nothing_dispatched(self) -> None:
        """Fail if anything was dispatched.

        Raises:
            AssertionError: with everything that was.
        """
        __tracebackhide__ = True
        if self.dispatched():
            raise AssertionError(f"Something was dispatched.\n{self._list()}")

    def enqueue(self, broker: QueueBroker, queue: str, entries: Sequence[NewEntry]) -> tuple[int, dict[int, RawJob]]:
        """As `Store.enqueue`."""
        for entry in entries:
            self._held.pop(full_id(queue, entry.local_id), None)
        return self._memory.enqueue(broker, queue, entries)

    def stored(self, broker: QueueBroker, records: list[JobRecord]) -> list[JobRecord]:
        """As a `Substitute`."""
        return records

    def held(self, records: Sequence[JobRecord]) -> None:
        """As a `Substitute`."""
        self._held |= {record.id: record for record in records}

    def _list(self, job: Dispatched | None = None, *wanted: Any) -> str:
        told = differences(self.dispatched(), None if job is None else _name(job), *wanted)
        return told + uncommitted(list(self._held.values()))


class Inline(Fake):
    """Runs what is dispatched at once, in the same thread; made by `queue.inline()`. Knows what was dispatched, too."""

    def stored(self, broker: QueueBroker, records: list[JobRecord]) -> list[JobRecord]:
        """Run them, and return their records after that; what a job raises is raised."""
        return [
            record if record.deduplicated else self._run(broker, self._memory.kept(broker, record))
            for record in records
        ]

    def logs(self, job_id: str) -> list[str]:
        """The lines that the job of this full `job_id` has logged, oldest first; none if there is no such job."""
        return [line for kept in self._memory.all() if kept.record.id == job_id for line in kept.log]

    def _run(self, broker: QueueBroker, kept: Kept) -> JobRecord:
        delivery = InlineDelivery(broker, kept)
        ended = run(broker, delivery)
        outcome = ended.outcome
        if isinstance(outcome, Released | GivenBack):
            kept.change(state="w")
        else:
            record = ended_record(delivery, outcome, runtime_ms=ended.runtime_ms, now_ms=now_ms())
            kept.end(record, outcome)
            if SIGNALS[type(outcome)].receivers:
                broker.tell(SIGNALS[type(outcome)], record=kept.record)
        if delivery.raised is not None:
            raise delivery.raised
        return kept.record


class InlineDelivery(HeldDelivery):
    """The only run of a job in memory."""

    def __init__(self, broker: QueueBroker, kept: Kept) -> None:
        state = kept.begin(WORKER)
        message = unpack(kept.raw.queue, kept.raw.local_id, state.created_ms, kept.raw.message)
        # Nothing is retried, so that the first attempt is the last.
        super().__init__(broker, message.copy(options={"max_retries": 0}), state, WORKER, claimed_ms=state.created_ms)
        self._kept = kept

    def progress(self, done: float, total: float) -> None:
        """Note it."""
        self._kept.show_progress(done, total)

    def log(self, line: str) -> None:
        """Keep it."""
        self._kept.log.append(line)

    def own_record(self) -> JobRecord:
        """The job's record now."""
        return self._kept.record


def _name(job: object) -> str:
    if isinstance(job, QueueActor):
        return str(job.actor_name)
    if isinstance(job, type) and issubclass(job, Job):
        return job.name
    raise TypeError(f"give a Job class, or what queue.actor(…) made, not {job!r}")


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
