"""A session in figures."""

from __future__ import annotations

from collections import Counter

from tests.chaos.checker import records_of
from tests.chaos.journal import Evidence


def summarize(found: Evidence, drained_s: float) -> tuple[str, Counter[str]]:
    """A few lines for people, and the counts in them."""
    counts = Counter[str](fault.kind for fault in found.notes.faults)
    counts["dispatched"] = sum(sent.answer == "done" for sent in found.notes.sent)
    counts["unsure"] = sum(sent.answer == "unsure" for sent in found.notes.sent)
    counts["runs"] = sum(map(len, found.runs.values()))
    counts["jobs"] = len(found.runs)
    for pasts in found.pasts.values():
        counts.update(past.outcome for past in pasts)
    counts.update(act.verb for act in found.notes.actions if act.answer == "done")
    counts.update(f"ended {record.job_state.value}" for record in records_of(found).values())
    counts["worker faults"] = sum(counts[kind] for kind in ("kill", "term", "stop"))
    counts["restarts"] = counts["redis-kill"] + counts["redis-stop"]
    lines = [
        "workers: {kill} killed, {term} terminated, {stop} stopped for a while, {orphan} orphaned, {heart} lost hearts",
        "Redis: {redis-kill} times killed, {redis-stop} restarted, {redis-freeze} frozen, {clients} all clients cut",
        "dispatched {dispatched}, perhaps {unsure} more; {runs} runs of {jobs} jobs",
        "runs: {lost} lost and recovered, {retried} retried, {released} released",
        "actions: {cancel} cancel, {promote} promote, {reschedule} reschedule, {retry} retry, {delete} delete",
        "ended: {ended completed} completed, {ended failed} failed, {ended cancelled} cancelled",
        f"jobs of killed workers were back within {longest_recovery_s(found):.1f} s",
        f"all was settled {drained_s:.1f} s after the end",
    ]
    known: dict[str, int] = {key: counts[key] for line in lines for key in _names(line)}
    return "\n".join(line.format_map(known) for line in lines), counts


def longest_recovery_s(found: Evidence) -> float:
    """From a kill until the jobs of that worker were taken back. When they run again is up to their queue's backlog."""
    killed = {fault.pid: fault.from_ns for fault in found.faults("kill")}
    pids = {run.start.worker: run.start.pid for runs in found.runs.values() for run in runs}
    lost = [past for pasts in found.pasts.values() for past in pasts if past.outcome == "lost"]
    took_ns = [
        past.finished_at * 10**6 - killed.get(pids.get(past.worker, 0), past.finished_at * 10**6) for past in lost
    ]
    return max(took_ns, default=0) / 1e9


def _names(line: str) -> list[str]:
    return [part.partition("}")[0] for part in line.split("{")[1:]]
