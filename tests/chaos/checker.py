"""Checks what a session left behind: each sentence that comes out is a broken promise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from flask_queue.store.state import STATES, StateRecord
from tests.chaos import limits
from tests.chaos.journal import Action, Evidence, Past, Run, Sent
from tests.chaos.losses import Losses
from tests.store.checks import check_snapshot

#: How often work of Redis's last moments may be gone where it does not sync every write.
LOSS_NS = 3_000_000_000


def check(found: Evidence) -> list[str]:
    """Every fault that there is, as a sentence."""
    return [*check_store(found), *check_jobs(found), *check_unique(found), *limits.check_limits(found)]


def check_store(found: Evidence) -> Iterator[str]:
    """Each queue is whole, and nothing is left over."""
    for queue, snapshot in found.snapshots.items():
        try:
            check_snapshot(snapshot)
        except AssertionError as error:
            yield f"{queue}: {error}"
        for local_id, record in snapshot.states.items():
            if record.state in "wda":
                yield f"{queue}:{local_id.decode()} is stuck: {record}"
        if snapshot.locks:
            yield f"{queue}: leaked unique locks {dict(snapshot.locks)}"
        if snapshot.cancelling:
            yield f"{queue}: asked to stop, and never heard of again: {snapshot.cancelling}"


def check_jobs(found: Evidence) -> Iterator[str]:
    """No job is lost, each ran as its record says, and each run is accounted for."""
    records = records_of(found)
    sent = {each.job_id: each for each in found.notes.sent}
    acknowledged = {each.job_id for each in found.notes.sent if each.answer == "done"}
    doubtful = doubtful_jobs(found)
    actions = _by_job(found.notes.actions)
    losses = Losses(found)
    for job_id in sorted((acknowledged | set(records) | set(found.runs)) - doubtful):
        record, acts = records.get(job_id), actions.get(job_id, [])
        if record is None:
            if not any(act.verb == "delete" and act.answer != "refused" for act in acts) and job_id in acknowledged:
                yield f"{job_id} was acknowledged, and is lost"
        elif job_id not in sent:
            yield f"{job_id} was never dispatched"
        else:
            faults = [*_check_api(found, job_id, record), *_check_end(found, sent[job_id], record, acts)]
            faults += _check_counts(found.pasts.get(job_id, ()), record, acts)
            faults += losses.check_runs(job_id, record, _was(acts, "retry", *actions.get("*", ())))
            yield from (f"{job_id}: {fault} ({_story(found, job_id, record)})" for fault in faults)


def records_of(found: Evidence) -> Mapping[str, StateRecord]:
    """Full id → what Redis holds of its state."""
    return {
        f"{queue}:{local_id.decode()}": record
        for queue, snapshot in found.snapshots.items()
        for local_id, record in snapshot.states.items()
    }


def doubtful_jobs(found: Evidence) -> set[str]:
    """Jobs of which something was written in the last moments before a crash of a Redis that did not sync it."""
    if not found.is_lossy:
        return set()
    crashes = [fault.from_ns for fault in found.faults("redis-kill")]
    stamps = [(line.job_id, line.at_ns) for line in found.lines]
    stamps += [(sent.job_id, sent.at_ns) for sent in found.notes.sent]
    stamps += [(act.job_id, act.until_ns) for act in found.notes.actions]
    return {job_id for job_id, at_ns in stamps if any(0 <= crash - at_ns < LOSS_NS for crash in crashes)}


def _check_api(found: Evidence, job_id: str, record: StateRecord) -> Iterator[str]:
    shown = list(found.api.get(job_id, ()))
    if shown != [STATES[record.state].value]:
        yield f"the listings show it as {shown}"


def _check_end(found: Evidence, sent: Sent, record: StateRecord, acts: Sequence[Action]) -> Iterator[str]:
    """It ended as planned, by the run and the worker that its record names."""
    job_id, state = sent.job_id, record.job_state.value
    cancelled = _was(acts, "cancel")
    if state == "completed":
        runs = [run for run in found.runs.get(job_id, ()) if run.start.number == record.number]
        if not any(run.has_completed and run.start.worker == record.worker for run in runs):
            yield f"no completed run {record.number} of {record.worker} is in the journal"
        proof = json.loads(record.result or "null")
        if proof != {"number": record.number, "worker": record.worker} and not (cancelled and proof is None):
            yield f"its result is of another run: {proof}"
    if state == "cancelled" and not cancelled:
        yield "nobody cancelled it"
    if state != sent.expected and state != "cancelled" and not _is_worker_lost(found, job_id, record):
        yield f"it should have {sent.expected}"
    for run in found.runs.get(job_id, ()) if state == "cancelled" else ():
        if act := _ran_after(run, acts):
            yield f"run {run.start.number} was claimed after it was cancelled ({act})"


def _ran_after(run: Run, acts: Sequence[Action]) -> Action | None:
    """The cancel that had ended the job for good before this run was claimed."""
    cancels = [act for act in acts if (act.verb, act.state) == ("cancel", "cancelled")]
    retried = [act for act in acts if act.verb == "retry" and act.answer != "refused"]
    return next(
        (act for act in cancels if act.until_ns // 10**6 < run.start.claimed_ms and not retried),
        None,
    )


def _check_counts(pasts: Sequence[Past], record: StateRecord, acts: Sequence[Action]) -> Iterator[str]:
    """Attempts and recoveries are those of the history, from the last end on where all failed ones were retried.

    A job whose last run failed, and which is not failed, was retried since: and then, say, cancelled before it ran.
    """
    if _was(acts, "retry"):
        return
    past_ends = pasts[:-1] if record.state == "f" else pasts
    ends = [place for place, past in enumerate(past_ends, 1) if past.outcome == "failed"]
    pasts = pasts[max(ends, default=0) :]
    outcomes = [past.outcome for past in pasts]
    is_lost = _error_type(pasts) == "WorkerLost"
    recoveries = outcomes.count("lost") + is_lost
    if record.recoveries != recoveries:
        yield f"it has {record.recoveries} recoveries, and its history tells of {recoveries}"
    attempts = outcomes.count("retried") + (record.state == "c") + (record.state == "f" and not is_lost)
    if record.attempts != attempts:
        yield f"it has {record.attempts} attempts, and its history tells of {attempts}"


def _is_worker_lost(found: Evidence, job_id: str, record: StateRecord) -> bool:
    return record.state == "f" and _error_type(found.pasts.get(job_id, ())) == "WorkerLost"


def _error_type(pasts: Sequence[Past]) -> str | None:
    last = pasts[-1] if pasts else None
    return last.error["type"] if last and last.outcome == "failed" and last.error else None


def _was(acts: Iterable[Action], verb: str, *more: Action) -> bool:
    return any(act.verb == verb and act.answer != "refused" for act in (*acts, *more))


def _by_job(actions: Iterable[Action]) -> Mapping[str, list[Action]]:
    found: dict[str, list[Action]] = {}
    for action in actions:
        found.setdefault(action.job_id, []).append(action)
    return found


def check_unique(found: Evidence) -> Iterator[str]:
    """Of one key, no two jobs were unsettled at a time."""
    records, doubtful = records_of(found), doubtful_jobs(found)
    retried = {act.job_id for act in found.notes.actions if act.verb == "retry" and act.answer != "refused"}
    retried |= {job_id for job_id, pasts in found.pasts.items() for past in pasts[:-1] if past.outcome == "failed"}
    by_key: dict[str, dict[str, StateRecord]] = {}
    for sent in found.notes.sent:
        if sent.unique_key and sent.job_id in records and sent.job_id not in doubtful | retried:
            by_key.setdefault(sent.unique_key, {})[sent.job_id] = records[sent.job_id]
    for key, jobs in by_key.items():
        ordered = sorted(jobs.items(), key=lambda item: item[1].created_ms)
        for (first, one), (second, other) in pairwise(ordered):
            if other.created_ms < one.finished_ms:
                yield f"{first} and {second} were there at a time with the unique key {key!r}"


def _story(found: Evidence, job_id: str, record: StateRecord) -> str:
    runs = [(run.start.number, run.start.worker, run.end and run.end.how) for run in found.runs.get(job_id, ())]
    pasts = [(past.number, past.outcome, past.worker) for past in found.pasts.get(job_id, ())]
    return f"record {record}; journal {runs}; history {pasts}"
