"""One queue, driven by hand: what a web process, some workers and time do to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flask_queue.outcome import Completed
from flask_queue.record import JobError
from flask_queue.store.actions import DELETABLE, RETRIABLE, Actions
from flask_queue.store.state import StateRecord
from flask_queue.store.transitions import (
    CycleReply,
    CycleRequest,
    Limits,
    NewEntry,
    Retention,
    Settlement,
    Transitions,
)
from tests.store.checks import Client, snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask_queue.outcome import Outcome
    from flask_queue.store.records import RawJob
    from flask_queue.store.transitions import Reaped

PREFIX = "test"
MESSAGE = b'SendWelcomeEmail\n{"user_id":7}'
ERROR = JobError("ValueError", "no such user", "Traceback: …", "shop/jobs.py:Send.handle")
#: Of another group.
OTHER_ERROR = JobError("KeyError", '"}', "\n", "shop/jobs.py:Send.handle")
DAY_MS = 86_400_000
#: Keeps whatever a test finishes.
KEEP = Retention(10_000, DAY_MS, 10_000, DAY_MS)
NO_LIMITS = Limits()
LEASE_MS = 15_000
#: Later than any time of Redis.
ANY_TIME_MS = 1 << 52


@dataclass
class Driver:
    """Short words for the transitions of one queue, and for what Redis has of its jobs."""

    client: Client
    queue: str = "q"
    keep: Retention = KEEP
    limits: Limits = NO_LIMITS

    def __post_init__(self) -> None:
        self.transitions = Transitions(PREFIX)
        self.actions = Actions(self.client, PREFIX)
        self.keys = self.transitions.keys(self.queue)

    def add(
        self,
        *local_ids: str,
        due: str = "",
        priority: int = 0,
        nonce: str = "-",
        message: bytes = MESSAGE,
        lock: str = "",
        tags: Sequence[str] = (),
    ) -> dict[int, RawJob]:
        """Store jobs in one call; return those that existed, by position."""
        entries = [NewEntry(local_id, message, due, priority, nonce, lock, tags) for local_id in local_ids]
        return self.transitions.enqueue(self.client, self.queue, entries)[1]

    def cycle(
        self,
        worker: str = "w1",
        *,
        want: int = 0,
        idle: int | None = None,
        settle: Sequence[Settlement] = (),
        started: Sequence[tuple[str, int]] = (),
    ) -> CycleReply:
        """One cycle of a worker; as many as it wants start at once, unless `idle` says fewer."""
        request = CycleRequest(self.queue, want, want if idle is None else idle, settle, started, self.limits)
        [reply] = self.transitions.cycle(self.client, worker, self.keep, [request])
        assert isinstance(reply, CycleReply), reply
        return reply

    def claim(self, want: int = 1, worker: str = "w1", *, idle: int | None = None) -> list[str]:
        """Claim jobs; return their ids in the order in which they run."""
        return [job.local_id for job in self.cycle(worker, want=want, idle=idle).claimed]

    def settle(self, local_id: str, outcome: Outcome, *, worker: str = "w1", number: int = 0) -> Sequence[str]:
        """Settle a run, by default the job's newest; return the ids that came too late."""
        return self.cycle(worker, settle=[self.ended(local_id, outcome, number=number)]).late

    def ended(self, local_id: str, outcome: Outcome, *, number: int = 0, runtime_ms: int = 5) -> Settlement:
        """The end of a job's run, by default its newest."""
        return Settlement(local_id, number or self.state(local_id).number, runtime_ms, outcome)

    def finish(self, *local_ids: str, outcome: Outcome | None = None, worker: str = "w1") -> None:
        """Store jobs, run them, and settle them all in one call."""
        self.add(*local_ids)
        assert sorted(self.claim(len(local_ids), worker)) == sorted(local_ids)
        reply = self.cycle(worker, settle=[self.ended(local_id, outcome or Completed()) for local_id in local_ids])
        assert not reply.late

    def reap(self, *, max_recoveries: int = 3, by_ms: int = ANY_TIME_MS) -> Reaped:
        """Take back what the silent worker holds."""
        reap = self.transitions.reap
        return reap(self.client, self.queue, lease_ms=LEASE_MS, max_recoveries=max_recoveries, by_ms=by_ms)

    def retry(self, *local_ids: str, states: str = RETRIABLE, until_ms: int | None = None) -> list[str]:
        """Do what an operator's retry does; return the states before."""
        return self.actions.retry(self.queue, local_ids, states=states, until_ms=until_ms)

    def cancel(self, *local_ids: str) -> list[str]:
        """Cancel jobs; return the states before."""
        return self.actions.cancel(self.queue, local_ids)

    def promote(self, *local_ids: str) -> list[str]:
        """Promote jobs; return the states before."""
        return self.actions.promote(self.queue, local_ids)

    def reschedule(self, local_id: str, due_ms: int) -> str:
        """Give a job another time; return the state before."""
        return self.actions.reschedule(self.queue, local_id, due_ms)

    def delete(self, *local_ids: str, states: str = DELETABLE, until_ms: int | None = None) -> list[str]:
        """Delete jobs; return `+` for each that is gone, else its state."""
        return self.actions.delete(self.queue, local_ids, states=states, until_ms=until_ms)

    def pause(self, reason: str = "") -> None:
        """Pause the queue."""
        self.actions.pause(self.queue, reason)

    def resume(self) -> bool:
        """End the pause; whether there was one."""
        return self.actions.resume(self.queue)

    def log(self, local_id: str, line: str) -> bool:
        """Append a log line."""
        return self.transitions.log(self.client, self.queue, local_id, line)

    def progress(self, local_id: str, done: float, total: float) -> bool:
        """Note progress."""
        return self.transitions.progress(self.client, self.queue, local_id, done, total)

    def silence(self, worker: str, for_ms: int = LEASE_MS + 1000) -> None:
        """Let a worker have been silent for so long."""
        self.client.zadd(self.keys["workers"], {worker: self.now_ms() - for_ms})

    def make_due(self, local_id: str, *, since_ms: int = 1000) -> None:
        """Let a delayed job be due."""
        due_ms = self.now_ms() - since_ms
        self.client.zadd(self.keys["delayed"], {local_id: due_ms})
        self.write(local_id, self.state(local_id)._replace(due_ms=due_ms))

    def age(self, local_id: str, by_ms: int) -> None:
        """Let a job that is finished have been dispatched and finished so much earlier."""
        state = self.state(local_id)
        state = state._replace(created_ms=state.created_ms - by_ms, finished_ms=state.finished_ms - by_ms)
        self.write(local_id, state)
        indexes = [f"by:{index}" for index in snapshot(self.client, self.keys).indexes]
        for place in ("completed", "failed", "cancelled", *indexes):
            moment_ms = state.created_ms if place.startswith("by:tag:") else state.finished_ms
            self.client.zadd(self.keys[place], {local_id: moment_ms}, xx=True)

    def age_claims(self, by_ms: int) -> None:
        """Let all claims that the rate limit knows of have been so much earlier."""
        for index, time_ms in enumerate(self.client.lrange(self.keys["claims"], 0, -1)):
            self.client.lset(self.keys["claims"], index, int(time_ms) - by_ms)

    def state(self, local_id: str) -> StateRecord:
        """A job's state record; the job exists."""
        text = self.client.hget(self.keys["state"], local_id)
        assert text is not None, f"no job {local_id}"
        return StateRecord.parse(text)

    def write(self, local_id: str, state: StateRecord) -> None:
        """Put a state record back."""
        self.client.hset(self.keys["state"], local_id, " ".join(map(str, state)))

    def exists(self, local_id: str) -> bool:
        """Whether the job has a record."""
        return bool(self.client.hexists(self.keys["state"], local_id))

    def history(self, local_id: str) -> list[tuple[int, str]]:
        """Number and outcome of each run that was written down."""
        return runs_of(self.client.hget(self.keys["attempts"], local_id))

    def entries(self, local_id: str) -> list[dict[str, Any]]:
        """What was written down of each run."""
        return _entries(self.client.hget(self.keys["attempts"], local_id))

    def traces(self, local_id: str) -> set[str]:
        """The names of all keys that mention the job."""
        pattern = f"{self.keys.tag}:*"
        found = {key.decode().removeprefix(f"{self.keys.tag}:") for key in self.client.keys(pattern)}
        named = {key for key in found if key.endswith(f":{local_id}")}
        for name in ("jobs", "state", "attempts", "progress", "unique_of", "tags"):
            named |= {name} if self.client.hexists(self.keys[name], local_id) else set()
        named |= {"waiting"} if local_id.encode() in self.client.lrange(self.keys["waiting"], 0, -1) else set()
        indexes = {name for name in found if name.startswith("by:")}
        for name in ("prioritized", "delayed", "completed", "failed", "cancelled", *indexes):
            named |= {name} if self.client.zscore(self.keys[name], local_id) is not None else set()
        return named

    def take_marker(self) -> bool:
        """Pop the wake marker as a blocked worker does; whether there was one."""
        return bool(self.client.zpopmin(self.keys["wake"]))

    def now_ms(self) -> int:
        """Redis's clock."""
        seconds, micros = self.client.time()
        return int(seconds * 1000 + micros // 1000)

    def keeping(self, **limits: int) -> Driver:
        """The same queue under other retention limits."""
        return replace(self, keep=replace(self.keep, **limits))

    def limited(self, **limits: int) -> Driver:
        """The same queue, its workers having these limits."""
        return replace(self, limits=Limits(**limits))


def runs_of(attempts: bytes | None) -> list[tuple[int, str]]:
    """Number and outcome of each run, from what Redis has of a job's attempts."""
    return [(entry["number"], entry["outcome"]) for entry in _entries(attempts)]


def _entries(attempts: bytes | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in attempts.split(b"\n")] if attempts else []
