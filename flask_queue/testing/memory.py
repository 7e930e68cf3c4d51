"""Jobs in memory, as Redis would have them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..broker import QueueBroker
from ..outcome import Completed, Outcome
from ..record import Attempt, JobRecord, JobState
from ..store.records import RawJob
from ..store.state import STATES, StateRecord
from ..store.transitions import NewEntry

_LETTERS = {state: letter for letter, state in STATES.items()}


@dataclass
class Kept:
    """One job."""

    broker: QueueBroker
    raw: RawJob
    log: list[str] = field(default_factory=list)

    @property
    def record(self) -> JobRecord:
        """Its record now, made of what JSON left of it."""
        return self.raw.record(self.broker.max_retries_of(self.raw.name))

    def change(self, **state: Any) -> StateRecord:
        """Change its state record; returns that."""
        self.raw = replace(self.raw, state=self.raw.state._replace(**state))
        return self.raw.state

    def show_progress(self, done: float, total: float) -> None:
        """Note how far it is."""
        self.raw = replace(self.raw, progress=f"{done:.12g} {total:.12g}".encode())

    def begin(self, worker: str) -> StateRecord:
        """Start a run."""
        return self.change(state="a", number=self.raw.state.number + 1, worker=worker, started_ms=now_ms())

    def end(self, record: JobRecord, outcome: Outcome) -> None:
        """End the run as this record says."""
        (run,) = record.history
        result = outcome.result if isinstance(outcome, Completed) else ""
        flags = "t" if record.result_cut else self.raw.state.flags
        letter, runtime_ms = _LETTERS[record.state], record.runtime_ms or 0
        self.change(
            state=letter,
            attempts=record.attempts,
            finished_ms=now_ms(),
            runtime_ms=runtime_ms,
            result=result,
            flags=flags,
            due_ms=0,
        )
        if record.state is not JobState.COMPLETED:
            self.raw = replace(self.raw, attempts=_line(run))


class Memory:
    """What was dispatched, in order. Safe to use from all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str, str, str], Kept] = {}
        #: Of a unique key: the job that has it, and until when (Unix ms).
        self._locks: dict[tuple[str, str, str, str], tuple[Kept, int]] = {}

    def enqueue(self, broker: QueueBroker, queue: str, entries: Sequence[NewEntry]) -> tuple[int, dict[int, RawJob]]:
        """As `Store.enqueue`: an id that exists, or a unique key that is taken, is not stored again."""
        now, existing = now_ms(), dict[int, RawJob]()
        with self._lock:
            for position, entry in enumerate(entries):
                found = self._jobs.get(_key(broker, queue, entry.local_id)) or self._holder(broker, queue, entry, now)
                if found is not None:
                    existing[position] = found.raw
                else:
                    self._add(broker, queue, entry, now)
        return now, existing

    def kept(self, broker: QueueBroker, record: JobRecord) -> Kept:
        """The job of a record that `enqueue` led to."""
        with self._lock:
            return self._jobs[_key(broker, record.queue, record.id.partition(":")[2])]

    def all(self) -> list[Kept]:
        """All jobs, the first to be dispatched first."""
        with self._lock:
            return list(self._jobs.values())

    def _add(self, broker: QueueBroker, queue: str, entry: NewEntry, now: int) -> None:
        due_ms = now + int(entry.due[1:]) if entry.due.startswith("+") else int(entry.due or 0)
        is_delayed = due_ms > now
        state = StateRecord(
            state="d" if is_delayed else "w",
            nonce=entry.nonce,
            flags="-",
            attempts=0,
            number=0,
            recoveries=0,
            priority=entry.priority,
            created_ms=now,
            due_ms=due_ms if is_delayed else 0,
            started_ms=0,
            finished_ms=0,
            runtime_ms=0,
            worker="-",
            result="",
        )
        tags = "\n".join(entry.tags).encode()
        kept = Kept(broker, RawJob(queue, entry.local_id, state, entry.message, tags=tags))
        self._jobs[_key(broker, queue, entry.local_id)] = kept
        if entry.lock:
            for_ms, name = entry.lock.split(" ", 1)
            self._locks[_key(broker, queue, name)] = kept, now + int(for_ms)

    def _holder(self, broker: QueueBroker, queue: str, entry: NewEntry, now: int) -> Kept | None:
        """The unsettled job that has the unique key of this one."""
        kept, until_ms = self._locks.get(_key(broker, queue, entry.lock.partition(" ")[2]), (None, 0))
        return kept if kept is not None and until_ms > now and kept.raw.state.state in "wda" else None


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def _key(broker: QueueBroker, queue: str, name: str) -> tuple[str, str, str, str]:
    """As in Redis: apps that share a server and a prefix share their jobs."""
    return broker.store.url, broker.store.prefix, queue, name


def _line(run: Attempt) -> bytes:
    """One run as `lua/includes/history.lua` writes it."""
    error = run.error
    return json.dumps(
        {
            "number": run.number,
            "outcome": run.outcome,
            "started_at": round(run.started_at.timestamp() * 1000),
            "finished_at": round(run.finished_at.timestamp() * 1000),
            "worker": run.worker,
            "error": error
            and {"type": error.type, "message": error.message, "place": error.place, "traceback": error.traceback},
        }
    ).encode()
