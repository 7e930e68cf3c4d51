"""Why a job ran more than once: each run that was not its last must have a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from flask_queue.store.state import StateRecord
from tests.chaos.journal import Evidence, Fault, Past, Run
from tests.chaos.program import LEASE_S

LEASE_NS = round(LEASE_S * 1e9)
#: A lease runs from the last beat, which is a third of a lease, and on a busy machine some more, before the signal.
SILENCE_NS = LEASE_NS // 2
#: How much a signal's journal and the clock of Redis may differ.
GRAIN_NS = 50_000_000


class Losses:
    """Matches the runs in the journal to what the store and the faults tell.

    Attributes:
        duplicates: runs that came to nothing and were repeated.
        silent: leases that ran out although nothing was done to their worker.
    """

    def __init__(self, found: Evidence) -> None:
        self._found = found
        self._faults: dict[int, list[Fault]] = {}
        for fault in found.notes.faults:
            known = self._faults.setdefault(fault.pid, [])
            # A second SIGTERM ends a worker at once.
            is_second = fault.kind == "term" and any(earlier.kind == "term" for earlier in known)
            known.append(replace(fault, kind="kill") if is_second else fault)
        self.duplicates = 0
        self.silent: list[str] = []

    def check_runs(self, job_id: str, record: StateRecord, retried: bool) -> Iterator[str]:
        """Each run is the last one, ended in the history, or was lost with its worker."""
        pasts = {past.number: past for past in self._found.pasts.get(job_id, ())}
        seen: set[int] = set()
        for run in self._found.runs.get(job_id, ()):
            number = run.start.number
            if number in seen:
                yield f"run {number} started twice"
            seen.add(number)
            if past := pasts.get(number):
                yield from self._check_past(run, past, record, retried)
            elif number > record.number:
                yield f"run {number} is unknown to the store"
            elif number == record.number and run.start.worker == record.worker:
                continue
            else:
                yield from self._check_vanished(run)

    def _check_past(self, run: Run, past: Past, record: StateRecord, retried: bool) -> Iterator[str]:
        number = run.start.number
        if past.worker != run.start.worker:
            yield f"run {number} was of {run.start.worker}, and its history says {past.worker}"
        if past.outcome == "lost":
            self.duplicates += 1
            yield from self._check_lost(run, past)
        elif past.outcome == "completed" and number != record.number:
            yield f"run {number} had completed, and the job ran again"
        elif past.outcome in ("failed", "cancelled") and number != record.number and not retried:
            yield f"run {number} had {past.outcome}, and the job ran again though nobody retried it"

    def _check_lost(self, run: Run, past: Past) -> Iterator[str]:
        """Its worker was dead, or stopped for a lease, when it was taken from it."""
        if not self._was_lost(run.start.pid, past.finished_at * 1_000_000 + GRAIN_NS):
            self.silent.append(f"run {run.start.number} of {run.start.job_id} by {run.start.worker}")
            yield f"run {run.start.number} was taken from {past.worker}, to which nothing had been done"

    def _check_vanished(self, run: Run) -> Iterator[str]:
        """It has no history: it went back unspent at a shutdown, or Redis never heard that it had started."""
        self.duplicates += 1
        pid = run.start.pid
        ended = [fault for fault in self._faults.get(pid, ()) if fault.kind in ("term", "orphan")]
        was_interrupted = bool(ended) and not run.has_completed
        if not was_interrupted and not self._was_lost(pid, (run.end or run.start).at_ns + LEASE_NS * 3):
            yield f"run {run.start.number} is an unmatched duplicate"

    def _was_lost(self, pid: int, by_ns: int) -> bool:
        for fault in self._faults.get(pid, ()):
            if fault.kind == "kill" and fault.from_ns <= by_ns:
                return True
            if fault.kind in ("term", "orphan") and self._was_redis_away(fault.from_ns, by_ns):
                # It ended, and could not give back what it had.
                return True
            if fault.kind == "stop" and min(fault.until_ns, by_ns) - fault.from_ns >= SILENCE_NS:
                return True
        return False

    def _was_redis_away(self, from_ns: int, until_ns: int) -> bool:
        return any(fault.from_ns < until_ns and fault.until_ns > from_ns for fault in self._faults.get(0, ()))
