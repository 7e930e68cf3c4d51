"""Lists of several queues, read as one: finished jobs by when they finished, delayed ones by when they are due.

Jobs that share a millisecond come queue by queue. A cursor is still the position of one job: where the reading is in
the lists of the other queues follows from that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from ..query import Query
from .cursors import Cursor, Found
from .places import Place

#: What stands before all local ids, and behind all, byte by byte.
_LEAST, _LAST = " ", "~"
#: What is ordered by time in every queue.
_SOURCES = ("delayed", "completed", "failed", "cancelled")

#: The number of a place, and what a look at it found, with the cursor behind that.
Look: TypeAlias = tuple[int, tuple[list[Found], Cursor]]


def group(query: Query, places: Sequence[Place], at: int) -> range:
    """The places that are read as one with the one at `at`: the same list of other queues.

    Only where all in it are wanted: to look for few among many, it is cheaper to read one list after the other.
    """
    here = places[at]
    is_ordered = here.source in _SOURCES or here.source.startswith("by:error:")
    if not is_ordered or not query.asks_only("states", "queues", "fingerprints", "since_ms", "until_ms"):
        return range(at, at + 1)
    first, last = at, at + 1
    while first > 0 and _are_alike(places[first - 1], here):
        first -= 1
    while last < len(places) and _are_alike(places[last], here):
        last += 1
    return range(first, last)


def part(cursor: Cursor, index: int, *, is_up: bool) -> Cursor:
    """Where the reading is in one place of the group."""
    if not cursor.at or index == cursor.place:
        return replace(cursor, place=index)
    # Of those with the same time, all of the queues before were seen, and none of the queues behind.
    are_seen = index < cursor.place
    return replace(cursor, place=index, local_id=_LAST if are_seen == is_up else _LEAST)


def merged(cursor: Cursor, looks: Sequence[Look], most: int, *, is_up: bool) -> tuple[list[Found], Cursor]:
    """The first `most` of what was found in all places of a group, and the cursor behind them."""

    def rank(place: int, at: str) -> tuple[float, int]:
        return (float(at) if is_up else -float(at), place)

    behind = {index: end for index, (_, end) in looks if end.place == index}
    # Beyond the place that was read least far, others may have what comes before.
    edge = min((rank(index, end.at) for index, end in behind.items()), default=None)
    ranked = [(rank(index, each.cursor.at), each) for index, (found, _) in looks for each in found]
    ranked = sorted((pair for pair in ranked if edge is None or pair[0] <= edge), key=lambda pair: pair[0])
    ready = [
        replace(each, cursor=replace(each.cursor, looked=cursor.looked + count))
        for count, (_, each) in enumerate(ranked[:most], 1)
    ]
    looked = cursor.looked + len(ready)
    if len(ranked) > most:
        return ready, ready[-1].cursor
    if edge is None:
        return ready, replace(cursor, place=looks[-1][0] + 1, at="", local_id="", looked=looked)
    return ready, replace(behind[edge[1]], looked=looked)


def _are_alike(one: Place, other: Place) -> bool:
    return one.source == other.source and one.states == other.states
