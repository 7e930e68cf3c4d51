"""What Prometheus reads of the queues: how they stand, and all that was ever counted. A part of the read half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from . import tallies
from .connect import translate_errors
from .keys import QueueKeys
from .scripts import Call, load, run_all
from .survey import COUNTED


@dataclass(frozen=True, slots=True)
class Durations:
    """Times of all runs."""

    #: Number of times by bucket: 0 is below a millisecond, n from `FACTOR`ⁿ⁻¹ to `FACTOR`ⁿ ms.
    buckets: Mapping[int, int]
    sum_ms: int


@dataclass(frozen=True, slots=True)
class QueueTotals:
    """One queue. What was counted only grows, and begins at 0 after a week in which nobody used the queue."""

    name: str
    #: State → number of jobs.
    counts: Mapping[str, int]
    #: How long the next job to run has been due, ms; None where none is to run now.
    oldest_wait_ms: int | None
    is_paused: bool
    dispatched: int
    completed: int
    failed: int
    retried: int
    #: How long runs took that spent an attempt, and how long they had been due when they started.
    runtime: Durations
    wait: Durations


def totals(client: Redis, queues: Sequence[QueueKeys]) -> list[QueueTotals]:
    """Look at all of these queues. Redis: totals.lua for each, one round trip."""
    with translate_errors(client):
        replies = run_all(client, [Call(load("totals"), keys, [keys.tag]) for keys in queues])
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
    return [_queue(keys.queue, reply) for keys, reply in zip(queues, replies, strict=True)]


def _queue(name: str, reply: Sequence[Any]) -> QueueTotals:
    before, newest, counts, oldest_ms, paused = reply
    counted = Counter(tallies.counts_of(before.split()))
    counted.update(tallies.counts_of(newest))
    return QueueTotals(
        name,
        counts=dict(zip(COUNTED, map(int, counts), strict=True)),
        oldest_wait_ms=None if int(oldest_ms) < 0 else int(oldest_ms),
        is_paused=bool(paused),
        dispatched=counted["d"],
        completed=counted["c"],
        failed=counted["f"],
        retried=counted["a"],
        runtime=Durations(tallies.histogram(counted, "r"), counted["R"]),
        wait=Durations(tallies.histogram(counted, "w"), counted["W"]),
    )
