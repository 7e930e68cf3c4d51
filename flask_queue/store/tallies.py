"""What happened in each minute or hour, as `lua/includes/tally.lua` counts it: a part of the read half."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from redis import Redis

from ..record import MinuteMetrics, Percentiles
from .connect import translate_errors
from .keys import QueueKeys
from .scripts import Call, load, run_all

#: What is kept, in minutes: each minute of a day, each hour of a week.
BY_MINUTE, BY_HOUR = 1440, 7 * 1440
#: Bounds of the buckets of a histogram grow by this factor, from 1 ms.
FACTOR = 1.2


def metrics(client: Redis, queues: Sequence[QueueKeys], *, minutes: int, step_minutes: int) -> list[MinuteMetrics]:
    """What happened on these queues together, the oldest step first; the last one is the current, and not over yet.

    Steps begin at multiples of their length since 1970, in UTC. Redis: tallies.lua for each queue, one round trip.

    Args:
        client: of the server.
        queues: their keys.
        minutes: at most `BY_MINUTE`, or `BY_HOUR` in steps of whole hours.
        step_minutes: from 1 to `minutes`.
    """
    unit = 60 if step_minutes % 60 == 0 else 1
    steps = math.ceil(minutes / step_minutes)
    calls = [Call(load("tallies"), keys, [unit, steps * step_minutes // unit]) for keys in queues]
    found: dict[int, Counter[str]] = {}
    newest = 0
    with translate_errors(client):
        for reply in run_all(client, calls):
            if isinstance(reply, Exception):
                raise reply
            now_ms, kept, current = reply
            newest = max(newest, int(now_ms) // 60_000 // step_minutes)
            for minute, counts in _units(int(now_ms) // 60_000 // unit * unit, unit, kept, current):
                found.setdefault(minute // step_minutes, Counter()).update(counts)
    return [
        _step(number * step_minutes, found.get(number, Counter())) for number in range(newest - steps + 1, newest + 1)
    ]


def _units(
    newest: int, unit: int, kept: Sequence[bytes | None], current: Sequence[bytes]
) -> Iterator[tuple[int, dict[str, int]]]:
    """Each minute or hour, as the minute in which it begins, with its counts."""
    for place, text in enumerate(kept, 1 - len(kept)):
        if text is not None:
            yield newest + place * unit, _counts(text.split())
    counts = _counts(current)
    if minute := counts.pop("at", 0):
        yield minute // unit * unit, counts


def _counts(flat: Sequence[bytes]) -> dict[str, int]:
    return {name.decode(): int(count) for name, count in zip(flat[::2], flat[1::2], strict=True)}


def _step(minute: int, counts: Counter[str]) -> MinuteMetrics:
    return MinuteMetrics(
        at=datetime.fromtimestamp(minute * 60, UTC),
        dispatched=counts["d"],
        completed=counts["c"],
        failed=counts["f"],
        retried=counts["a"],
        runtime_ms=_percentiles(_histogram(counts, "r")),
        wait_ms=_percentiles(_histogram(counts, "w")),
    )


def _histogram(counts: Counter[str], kind: str) -> dict[int, int]:
    """Bucket → count."""
    return {int(name[1:]): count for name, count in counts.items() if name[0] == kind and len(name) > 1}


def _percentiles(histogram: dict[int, int]) -> Percentiles | None:
    if not histogram:
        return None
    return Percentiles(*(_percentile(histogram, share) for share in (0.5, 0.95, 0.99)))


def _percentile(histogram: dict[int, int], share: float) -> float:
    """The middle of the bucket in which the value of this rank lies (nearest rank): at most 10 % off, 0 below 1 ms."""
    rank, seen = math.ceil(share * sum(histogram.values())), 0
    for bucket, count in sorted(histogram.items()):
        seen += count
        if seen >= rank:
            return FACTOR ** (bucket - 0.5) if bucket else 0.0
    raise AssertionError("a rank beyond all values")
