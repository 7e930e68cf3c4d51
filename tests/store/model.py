"""What a queue should be: the rules of the transitions once more, in plain Python, for property tests.

Knows nothing of Redis. Times come from the replies, so that both sides use the same clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask_queue.outcome import Cancelled, Completed, Failed, GivenBack, Outcome, Released, Retried
from flask_queue.store.transitions import SUSPECT_FROM
from tests.store.model_job import NEVER_MS, Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flask_queue.store.transitions import Limits, NewEntry, Retention, Settlement


@dataclass
class QueueModel:
    """One queue. Each method is a transition and returns what its reply should say."""

    jobs: dict[str, Job] = field(default_factory=dict)
    #: Priority → ids, next to run first. Level 0 may list a job that is not waiting: a tombstone.
    levels: dict[int, list[str]] = field(default_factory=dict)
    remembered: set[str] = field(default_factory=set)
    #: Unique key → the id that has it, and whether its time is not over yet.
    locks: dict[str, tuple[str, bool]] = field(default_factory=dict)
    #: Claims that the rate limit still counts.
    claims: int = 0
    #: Jobs that have log lines.
    logged: set[str] = field(default_factory=set)
    #: Worker → its beat.
    beats: dict[str, int] = field(default_factory=dict)
    #: A marker must be there: something woke, and nobody took it since.
    marked: bool = False
    paused: bool = False

    def enqueue(self, entries: Sequence[NewEntry]) -> dict[int, str]:
        """Return the positions of those that existed, and the ids that they found."""
        existing = {}
        for position, entry in enumerate(entries):
            chosen, key = entry.nonce != "-", entry.lock.partition(" ")[2]
            if entry.local_id in self.jobs or (chosen and entry.local_id in self.remembered):
                job = self.jobs.get(entry.local_id)
                if not (chosen and job and job.nonce == entry.nonce):
                    existing[position] = entry.local_id
            elif key and (holder := self._lock_holder(key)):
                existing[position] = holder
            else:
                job = Job(entry.local_id, entry.nonce, entry.priority, key=key, tags=tuple(entry.tags))
                self._add(job, is_delayed=bool(entry.due))
        return existing

    def start(self, worker: str, started: Iterable[tuple[str, int]], now_ms: int) -> list[str]:
        """Return the ids of those that the worker does not hold."""
        late = []
        for local_id, number in started:
            job = self._held(worker, local_id, number)
            if job is None:
                late.append(local_id)
            else:
                job.started_ms = now_ms
        return late

    def settle(self, worker: str, settlements: Sequence[Settlement], now_ms: int) -> list[str]:
        """Return the ids of those that came too late. Completed ones are settled first, those given back last."""
        late = []
        given_back = [each for each in settlements if isinstance(each.outcome, GivenBack)]
        completed = [each for each in settlements if isinstance(each.outcome, Completed)]
        others = [each for each in settlements if each not in completed and each not in given_back]
        for settlement in [*completed, *others, *reversed(given_back)]:
            job = self._held(worker, settlement.local_id, settlement.number)
            if job is None:
                late.append(settlement.local_id)
            elif job.is_unwanted and not isinstance(settlement.outcome, Completed):
                if not isinstance(settlement.outcome, GivenBack):
                    job.ran("cancelled")
                self._finish(job, "x", now_ms)
            else:
                self._end(job, settlement.outcome, now_ms)
        return late

    def trim(self, keep: Retention, now_ms: int) -> None:
        """Forget the oldest finished jobs beyond either limit."""
        for state, count, age_ms in (
            ("c", keep.completed, keep.completed_ms),
            ("f", keep.failed, keep.failed_ms),
            ("x", keep.failed, keep.failed_ms),
        ):
            ids = self.ids(state)
            expired = sum(self.jobs[local_id].finished_ms <= now_ms - age_ms for local_id in ids)
            for local_id in ids[: max(len(ids) - count, expired, 0)]:
                self._forget(local_id)

    def promote(self, now_ms: int) -> None:
        """Let due jobs wait, in the order of their times."""
        due = [job for job in self.jobs.values() if job.state == "d" and job.due_ms <= now_ms]
        for job in sorted(due, key=lambda job: (job.due_ms, job.local_id)):
            self._push(job)

    def claim(
        self, worker: str, want: int, idle: int, now_ms: int, limits: Limits
    ) -> tuple[list[tuple[str, int]], str]:
        """Return id and run number of each claimed job, in order, and what closes the queue to those left, if it is."""
        claimed: list[tuple[str, int]] = []
        want = min(want, *self._slots(limits).values())
        for level in sorted(self.levels, reverse=True):
            if want and level == 0:
                self._sweep()
            while want and self.levels[level]:
                want -= 1
                job = self._waiting(self.levels[level].pop(0), level)
                if job is None:
                    continue
                job.state, job.worker, job.number = "a", worker, job.number + 1
                job.started_ms = now_ms if len(claimed) < idle and job.recoveries < SUSPECT_FROM else 0
                claimed.append((job.local_id, job.number))
        self.claims += len(claimed)
        closed = [name for name, slots in self._slots(limits).items() if not slots and self.listed()]
        if self.listed() and not closed:
            self.marked = True
        return claimed, (closed or [""])[0]

    def reap(self, lease_ms: int, max_recoveries: int, now_ms: int) -> tuple[list[str], list[str]]:
        """Return the ids that came back and those given up; the order of those at the front is left to `adopt`."""
        dead = sorted((beat, worker) for worker, beat in self.beats.items() if beat <= now_ms - lease_ms)
        if not dead:
            return [], []
        worker = dead[0][1]
        recovered, given_up = [], []
        for job in sorted(self.held(worker), key=lambda job: -job.started_ms):
            job.recoveries += job.started_ms > 0
            if job.is_unwanted:
                if job.started_ms:
                    job.ran("lost")
                self._finish(job, "x", now_ms)
                continue
            if job.started_ms and job.recoveries > max_recoveries:
                job.ran("failed")
                self._finish(job, "f", now_ms, "WorkerLost")
                given_up.append(job.local_id)
                continue
            if job.started_ms:
                job.ran("lost")
            job.started_ms = 0
            if job.recoveries >= SUSPECT_FROM:
                self._delay(job)
            else:
                self._push(job, front=True)
            recovered.append(job.local_id)
        del self.beats[worker]
        self.marked = True
        return recovered, given_up

    def retry(self, local_ids: Iterable[str]) -> list[str]:
        """Return the states before."""
        before = []
        for local_id in local_ids:
            job = self.jobs.get(local_id)
            is_locked = bool(job and job.state in "fx" and self._lock_holder(job.key))
            before.append("u" if is_locked else job.state if job else "")
            if job and job.state in "fx" and not is_locked:
                self._lock(job)
                job.attempts = job.recoveries = 0
                self._push(job)
                self.marked = True
        return before

    def locks_run_out(self) -> None:
        """Time passes."""
        self.locks = {key: (local_id, False) for key, (local_id, _) in self.locks.items()}

    def cancel(self, local_ids: Iterable[str], now_ms: int) -> list[str]:
        """Return the states before."""
        before = []
        for local_id in local_ids:
            job = self.jobs.get(local_id)
            before.append(job.state if job else "")
            if job and job.state == "a":
                job.is_unwanted = True
            elif job and job.state in "wd":
                self._unlist(job)
                self._finish(job, "x", now_ms)
        self._sweep()
        return before

    def promote_early(self, local_ids: Iterable[str]) -> list[str]:
        """Return the states before."""
        before = []
        for local_id in local_ids:
            job = self.jobs.get(local_id)
            before.append(job.state if job else "")
            if job and job.state == "d":
                self._push(job)
                self.marked = True
        return before

    def reschedule(self, local_id: str, due_ms: int) -> str:
        """Return the state before."""
        job = self.jobs.get(local_id)
        if job and job.state == "d":
            others = [other.due_ms for other in self.jobs.values() if other.state == "d" and other is not job]
            job.due_ms = due_ms
            self.marked |= due_ms < min(others, default=NEVER_MS)
        return job.state if job else ""

    def delete(self, local_ids: Iterable[str]) -> list[str]:
        """Return `+` for those that are gone, else their states."""
        outcomes = []
        for local_id in local_ids:
            job = self.jobs.get(local_id)
            outcomes.append("" if job is None else "a" if job.state == "a" else "+")
            if job and job.state != "a":
                self._unlist(job)
                self._forget(local_id)
        self._sweep()
        return outcomes

    def resume(self) -> bool:
        """Return whether it was paused."""
        was_paused, self.paused = self.paused, False
        self.marked |= self.listed() > 0
        return was_paused

    def held(self, worker: str) -> list[Job]:
        """The jobs that a worker has."""
        return [job for job in self.jobs.values() if (job.state, job.worker) == ("a", worker)]

    def ids(self, state: str) -> list[str]:
        """The ids in a state, the earliest finished or due first."""
        jobs = (job for job in self.jobs.values() if job.state == state)
        return [job.local_id for job in sorted(jobs, key=lambda job: (job.finished_ms, job.local_id))]

    def listed(self) -> int:
        """How many entries the levels have, tombstones included."""
        return sum(map(len, self.levels.values()))

    def adopt(self, level: int, actual: list[str], front: Iterable[str]) -> None:
        """Take the order of equally early starts from Redis: any is right, if the reaped jobs are at the front."""
        ours = self.levels.get(level, [])
        mine = [local_id for local_id in front if self.jobs[local_id].priority == level]
        assert Counter(actual[: len(mine)]) == Counter(mine), f"{actual} should begin with {mine}"
        assert actual[len(mine) :] == ours[len(mine) :], f"{actual} should go on like {ours}"
        self.levels[level] = list(actual)

    def _slots(self, limits: Limits) -> dict[str, int]:
        """How many jobs pass the rate, and all else whose end a marker tells; the rate comes first."""
        if self.paused:
            return {"marker": 0}
        running = sum(job.state == "a" for job in self.jobs.values())
        return {
            "rate": limits.claims - self.claims if limits.claims else 99,
            "marker": max(0, limits.running - running) if limits.running else 99,
        }

    def _held(self, worker: str, local_id: str, number: int) -> Job | None:
        job = self.jobs.get(local_id)
        return job if job and (job.state, job.worker, job.number) == ("a", worker, number) else None

    def _end(self, job: Job, outcome: Outcome, now_ms: int) -> None:
        job.finished_ms = 0
        match outcome:
            case Completed():
                if job.number > 1:
                    job.ran("completed")
                job.attempts += 1
                self._finish(job, "c", now_ms)
            case Retried(delay_ms):
                job.ran("retried")
                job.attempts += 1
                self._delay(job) if delay_ms else self._push(job)
            case Failed(error):
                job.ran("failed")
                job.attempts += outcome.spends_attempt
                self._finish(job, "f", now_ms, error.type)
            case Released(delay_ms):
                job.ran("released")
                self._delay(job) if delay_ms else self._push(job)
            case Cancelled():
                job.ran("cancelled")
                self._finish(job, "x", now_ms)
            case GivenBack():
                self._push(job, front=True)

    def _add(self, job: Job, *, is_delayed: bool) -> None:
        self.jobs[job.local_id] = job
        self._lock(job)
        if is_delayed:
            self._delay(job)
        else:
            self._push(job)
            self.marked = True

    def _finish(self, job: Job, state: str, now_ms: int, error: str = "") -> None:
        job.state, job.finished_ms, job.is_unwanted, job.failed_with = state, now_ms, False, error
        self._unlock(job)

    def _lock_holder(self, key: str) -> str:
        local_id, is_valid = self.locks.get(key, ("", False))
        return local_id if is_valid else ""

    def _lock(self, job: Job) -> None:
        if job.key:
            self.locks[job.key] = (job.local_id, True)

    def _unlock(self, job: Job) -> None:
        if job.key and self.locks.get(job.key, ("",))[0] == job.local_id:
            del self.locks[job.key]

    def _waiting(self, local_id: str, level: int) -> Job | None:
        """The job of a level's entry, unless that is a tombstone."""
        job = self.jobs.get(local_id)
        return job if job and (job.state, job.priority) == ("w", level) else None

    def _unlist(self, job: Job) -> None:
        """Take its entry out of its level; at level 0 it stays, as a tombstone."""
        if job.state == "w" and job.priority:
            self.levels[job.priority].remove(job.local_id)

    def _sweep(self) -> None:
        """Take tombstones off the front of level 0."""
        level = self.levels.get(0, [])
        while level and not self._waiting(level[0], 0):
            level.pop(0)

    def _push(self, job: Job, *, front: bool = False) -> None:
        job.state, job.started_ms, job.finished_ms = "w", 0, 0
        level = self.levels.setdefault(job.priority, [])
        level.insert(0 if front else len(level), job.local_id)

    def _delay(self, job: Job) -> None:
        job.state, job.due_ms, job.finished_ms = "d", NEVER_MS, 0

    def _forget(self, local_id: str) -> None:
        job = self.jobs.pop(local_id)
        self._unlock(job)
        self.logged.discard(local_id)
        if job.nonce != "-":
            self.remembered.add(local_id)
