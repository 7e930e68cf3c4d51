"""Whether a queue's limits held over all workers, by what its jobs wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.chaos.journal import FOREVER_NS, Evidence, Run
from tests.chaos.program import MAX_RUNNING, RATE


def check_limits(found: Evidence) -> Iterator[str]:
    """Not where Redis may have forgotten who runs, or what was claimed."""
    if found.is_lossy and any(found.faults("redis-kill")):
        return
    yield from check_rate(found)
    yield from check_running(found)


def check_rate(found: Evidence) -> Iterator[str]:
    """No window has more claims than the limit allows."""
    claims = {(line.job_id, line.number): line.claimed_ms for line in found.lines if line.job_id.startswith("rated:")}
    times = sorted(claims.values())
    for first, last in zip(times, times[RATE.limit :], strict=False):
        if last - first <= RATE.per_s * 1000:
            yield f"rated: more than {RATE.limit} claims in {last - first} ms from {first} on"


def check_running(found: Evidence) -> Iterator[str]:
    """No more jobs ran at a time than the limit allows."""
    steps: list[tuple[int, int]] = []
    for job_id, runs in found.runs.items():
        if job_id.startswith("limited:"):
            for from_ns, until_ns in _spans(found, job_id, runs):
                steps += [(from_ns, 1), (until_ns, -1)]
    running = 0
    for at_ns, step in sorted(steps):
        running += step
        if running > MAX_RUNNING:
            yield f"limited: {running} jobs ran at {at_ns}"


def _spans(found: Evidence, job_id: str, runs: Sequence[Run]) -> Iterator[tuple[int, int]]:
    """From when to when each run had its slot: at most until it ended, was lost, or the job ran again."""
    lost = {past.number: past.finished_at * 10**6 for past in found.pasts.get(job_id, ()) if past.outcome == "lost"}
    starts = [*(run.start.at_ns for run in runs), FOREVER_NS]
    newest = 0
    for run, (from_ns, next_ns) in zip(runs, pairwise(starts), strict=True):
        is_stale, newest = run.start.number < newest, max(newest, run.start.number)
        end_ns = run.end.at_ns if run.end else next_ns
        until_ns = min(end_ns, next_ns, lost.get(run.start.number, FOREVER_NS))
        if not is_stale and from_ns < until_ns < FOREVER_NS:
            yield from_ns, until_ns
