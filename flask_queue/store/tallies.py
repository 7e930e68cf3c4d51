"""What happened in each minute or hour, as `lua/includes/tally.lua` counts it: a part of the read half."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from redis import Redis

from ..record import MinuteMetrics, Percentiles
from .connect import translate_errors
from .keys import QueueKeys
from .scripts import Call, load, run_all

#: What is kept, in minutes: each minute of a day, each hour of a week.
BY_MINUTE, BY_HOUR = 1440, 7 * 1440
#: Bounds of the buckets of a histogram grow by this factor, from 1 ms.
FACTOR = 1.2


class Tally(NamedTuple):
    """Counts of some steps by their number, which is in steps since 1970, and the number of the current step."""

    newest: int
    counts: Mapping[int, Counter[str]]


def metrics(client: Redis, queues: Sequence[QueueKeys], *, minutes: int, step_minutes: int) -> list[MinuteMetrics]:
    """What happened on these queues together, the oldest step first; the last one is the current, and not over yet.

    Steps begin at multiples of their length since 1970, in UTC. Redis: tallies.lua for each queue, one round trip.

    Args:
        client: of the server.
        queues: their keys.
        minutes: at most `BY_MINUTE`, or `BY_HOUR` in steps of whole hours.
        step_minutes: from 1 to `minutes`.
    """
    calls = [Call(load("tallies"), keys, arguments(minutes, step_minutes)) for keys in queues]
    with translate_errors(client):
        replies = run_all(client, calls)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
    return told(add([parse(reply, step_minutes) for reply in replies]), minutes, step_minutes)


def arguments(minutes: int, step_minutes: int) -> list[int]:
    """What includes/read_tallies.lua wants for so many minutes: the unit, and how many of it."""
    unit = _unit(step_minutes)
    return [unit, math.ceil(minutes / step_minutes) * step_minutes // unit]


def parse(reply: Sequence[Any], step_minutes: int) -> Tally:
    """The counts of one queue, from the first three values of what a script returned."""
    now_ms, kept, current = reply[:3]
    unit, found = _unit(step_minutes), dict[int, Counter[str]]()
    for minute, counts in _units(int(now_ms) // 60_000 // unit * unit, unit, kept, current):
        found.setdefault(minute // step_minutes, Counter()).update(counts)
    return Tally(int(now_ms) // 60_000 // step_minutes, found)


def add(tallies: Sequence[Tally]) -> Tally:
    """The counts of several queues together."""
    found: dict[int, Counter[str]] = {}
    for tally in tallies:
        for number, counts in tally.counts.items():
            found.setdefault(number, Counter()).update(counts)
    return Tally(max((tally.newest for tally in tallies), default=0), found)


def told(tally: Tally, minutes: int, step_minutes: int) -> list[MinuteMetrics]:
    """One entry a step, the oldest first."""
    first = tally.newest - math.ceil(minutes / step_minutes) + 1
    return [
        _step(number * step_minutes, tally.counts.get(number, Counter())) for number in range(first, tally.newest + 1)
    ]


def counts_of(flat: Sequence[bytes]) -> dict[str, int]:
    """Name → count, of names and counts in turn."""
    return {name.decode(): int(count) for name, count in zip(flat[::2], flat[1::2], strict=True)}


def histogram(counts: Counter[str], kind: str) -> dict[int, int]:
    """Bucket → count, of runs (`r`) or waits (`w`)."""
    return {int(name[1:]): count for name, count in counts.items() if name[0] == kind and len(name) > 1}


def _unit(step_minutes: int) -> int:
    return 60 if step_minutes % 60 == 0 else 1


def _units(
    newest: int, unit: int, kept: Sequence[bytes | None], current: Sequence[bytes]
) -> Iterator[tuple[int, dict[str, int]]]:
    """Each minute or hour, as the minute in which it begins, with its counts."""
    for place, text in enumerate(kept, 1 - len(kept)):
        if text is not None:
            yield newest + place * unit, counts_of(text.split())
    counts = counts_of(current)
    if minute := counts.pop("at", 0):
        yield minute // unit * unit, counts


def _step(minute: int, counts: Counter[str]) -> MinuteMetrics:
    return MinuteMetrics(
        at=datetime.fromtimestamp(minute * 60, UTC),
        dispatched=counts["d"],
        completed=counts["c"],
        failed=counts["f"],
        retried=counts["a"],
        runtime_ms=_percentiles(histogram(counts, "r")),
        wait_ms=_percentiles(histogram(counts, "w")),
    )


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
