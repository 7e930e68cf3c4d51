"""What is wrong, and what to do about it: the warnings of the overview."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from ... import times
from ...errors import QueueUnavailable
from ...record import MinuteMetrics, WorkerInfo
from ...store.connect import translate_errors
from ...store.survey import QueueSurvey, Survey
from .. import show
from ..desk import Desk

#: A wait that somebody should know of.
LONG_WAIT_MS = 5 * 60_000
#: Share of Redis's memory limit from which it is nearly full.
NEARLY_FULL = 0.9
#: The failure rate has jumped: so many times that of the time before, at least so many failures in the newest steps.
JUMP, FEWEST, NEWEST_STEPS = 3, 5, 3


@dataclass(frozen=True, slots=True)
class Advice:
    """What is wrong, why, and the next step; `page` and `queue` say where to go for it."""

    #: `error` where jobs do not run or can be lost, else `warning`.
    level: str
    message: str
    remedy: str
    page: str = ""
    queue: str = ""


def advise(desk: Desk, survey: Survey, workers: Sequence[WorkerInfo]) -> list[Advice]:
    """All that is wrong, the worst first."""
    found = [*_redis(desk), *_failures(survey.metrics)]
    for queue in survey.queues:
        found += advise_queue(queue, sum(worker.queues.get(queue.name, 0) for worker in workers))
    return sorted(found, key=lambda advice: advice.level != "error")


def advise_queue(queue: QueueSurvey, threads: int) -> Iterator[Advice]:
    """What is wrong with one queue, for which so many threads are there."""
    ready = queue.counts["waiting"]
    is_due = queue.oldest_wait_ms is not None
    if queue.pause_reason is not None:
        why = f" ({queue.pause_reason})" if queue.pause_reason else ""
        message = f"{queue.name} is paused{why}; {show.count(ready, 'job')} waiting."
        yield Advice("warning", message, "Resume it when the cause is gone.", "queue", queue.name)
    elif is_due and not threads:
        jobs = f"{show.count(ready, 'job')} to run" if ready else "delayed jobs that are due"
        message = f"{queue.name} has {jobs}, and no worker."
        yield Advice("error", message, f"Start one: flask queue work --queues {queue.name}", "queue", queue.name)
    elif queue.oldest_wait_ms is not None and queue.oldest_wait_ms > LONG_WAIT_MS:
        wait = times.duration(queue.oldest_wait_ms)
        message = (
            f"The next job of {queue.name} has been waiting for {wait}, with {show.count(threads, 'thread')} at work."
        )
        remedy = "Give it more threads or processes, or see which jobs hold them."
        yield Advice("warning", message, remedy, "workers", queue.name)


def _failures(steps: Sequence[MinuteMetrics]) -> Iterator[Advice]:
    """Whether jobs fail much more often in the newest steps than before."""
    newest, before = steps[-NEWEST_STEPS:], steps[:-NEWEST_STEPS]
    failed, rate = _rate(newest)
    _, usual = _rate(before)
    if failed >= FEWEST and rate > JUMP * max(usual, 0.01):
        message = f"{rate:.0%} of the jobs that ended lately failed, {usual:.0%} before."
        yield Advice(
            "error", message, "See what they fail with, and retry them together once it is mended.", "failures"
        )


def _rate(steps: Sequence[MinuteMetrics]) -> tuple[int, float]:
    failed = sum(step.failed for step in steps)
    ended = failed + sum(step.completed for step in steps)
    return failed, failed / ended if ended else 0.0


def _redis(desk: Desk) -> Iterator[Advice]:
    """Whether Redis may throw jobs away, or is about to refuse new ones. Redis: one command."""
    try:
        with translate_errors(desk.broker.store.client):
            info: Any = desk.broker.store.client.info("memory")
    except QueueUnavailable as error:
        if isinstance(error.__cause__, ResponseError):
            return  # a provider may forbid it: the other warnings are worth more
        raise
    policy, limit, used = info.get("maxmemory_policy"), info.get("maxmemory", 0), info.get("used_memory", 0)
    if policy not in (None, "noeviction"):
        message = f"Redis may delete jobs when its memory is full: its eviction policy is {policy}."
        yield Advice("error" if limit else "warning", message, "Set maxmemory-policy to noeviction.", "about")
    if limit and used > NEARLY_FULL * limit:
        message = f"Redis has used {used / limit:.0%} of its memory; at 100 % it refuses new jobs."
        yield Advice("error", message, "Raise maxmemory, or clean finished jobs.", "about")
