"""Reads the jobs of a query step by step, each of them bounded, whatever comes and goes meanwhile.

A job that stays where it is from the first step to the last is neither left out nor, in sorted sets, found twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from redis import Redis

from ..query import Query
from . import merge, prefilter
from .connect import translate_errors
from .cursors import Cursor, Found
from .keys import QueueKeys
from .places import Place, beginnings, counted_way, ways, whole_ids
from .records import RawJob
from .scripts import Call, load, run_all
from .state import STATES, StateRecord
from .transitions import BATCH

#: Ids that Redis looks at in one step: some milliseconds at most.
STEP = 500
#: Of messages and attempts that Redis reads in one step, besides the last one.
STEP_BYTES = 4 << 20
#: Seconds after which it ends a step.
STEP_S = 0.003
#: Entries that are read beyond what is wanted, as some may be tombstones.
SLACK = 16

_LETTERS = {state: letter for letter, state in STATES.items()}


class Finder:
    """One reading.

    Args:
        client: of the server.
        prefix: of all keys.
        queues: all of the app, in the order of listings.
        query: what is asked for.
        cut_bytes: of messages, so many are enough, plus one.
        ids_only: whether ids are enough.
        oldest_first: what finished first comes first, and the states are in the order in which jobs go through them:
            whatever goes on while it is read is met again.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str,
        queues: Sequence[str],
        query: Query,
        *,
        cut_bytes: int | None = None,
        ids_only: bool = False,
        oldest_first: bool = False,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._query = query
        self._ways = [*ways(query, queues, oldest_first=oldest_first), whole_ids(query, queues)]
        needles = prefilter.needles(query)
        self._texts = {"needles": [needle.as_data() for needle in needles] or None, "folds": prefilter.folds(needles)}
        # A bulk action must meet what goes on to another state meanwhile, also if that was empty when it began.
        self._skips_empty = not oldest_first
        self._shape = {"cut": None if query.needs_texts else cut_bytes, "ids_only": ids_only}

    def begin(self, digest: str, began_ms: int = 0) -> Cursor:
        """The cursor at the beginning of the shortest way. Redis: one round trip."""
        sizes = [sum(way) for way in self._sizes]
        *others, whole = sizes
        # Where there are jobs of these whole ids, those are meant.
        chosen = len(others) if whole else min(range(len(others)), key=others.__getitem__)
        return Cursor(digest, chosen, 0, total=sizes[chosen], began_ms=began_ms)

    def exact_size(self) -> int | None:
        """How many jobs meet the query, where the length of a list or an index tells. Redis: one round trip."""
        way = counted_way(self._query)
        return None if way is None else sum(self._sizes[way])

    def is_over(self, cursor: Cursor) -> bool:
        """Whether nothing comes behind it."""
        return cursor.way >= len(self._ways) or cursor.place >= len(self._ways[cursor.way])

    def queue(self, cursor: Cursor) -> str:
        """Which queue comes next; it is not over."""
        return self._ways[cursor.way][cursor.place].queue

    def step(self, cursor: Cursor, most: int) -> tuple[list[Found], Cursor]:
        """Up to `most` jobs that may be wanted, and where to go on. Redis: find.lua, over at most `STEP` ids.

        Lists of several queues that are read as one take a call for each of those, in the same round trip.
        """
        if self._skips_empty and not cursor.at:
            cursor = self._beyond_empty(cursor)
            if self.is_over(cursor):
                return [], cursor
        places = self._ways[cursor.way]
        group = range(1) if self._shape["ids_only"] else merge.group(self._query, places, cursor.place)
        if len(group) == 1:
            return self._look([cursor], most)[0]
        is_up = places[cursor.place].order == "up"
        looks = self._look([merge.part(cursor, index, is_up=is_up) for index in group], most)
        return merge.merged(cursor, list(zip(group, looks, strict=True)), most, is_up=is_up)

    def _look(self, cursors: Sequence[Cursor], most: int) -> list[tuple[list[Found], Cursor]]:
        """What comes behind each of these cursors. Redis: find.lua for each, one round trip."""
        with translate_errors(self._client):
            replies = run_all(self._client, [self._call(cursor, most) for cursor in cursors])
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return [self._told(cursor, *reply) for cursor, reply in zip(cursors, replies, strict=True)]

    def _call(self, cursor: Cursor, most: int) -> Call:
        place = self._ways[cursor.way][cursor.place]
        keys = QueueKeys(self._prefix, place.queue)
        wanted = json.dumps(self._wanted(place, cursor, most), ensure_ascii=False)
        return Call(load("find"), keys, [keys.tag, wanted, *_rest(place, cursor)[:STEP]])

    def _told(
        self, cursor: Cursor, looked: int, is_last: int, last_id: bytes, at: bytes, found: Sequence[Any]
    ) -> tuple[list[Found], Cursor]:
        """What find.lua found behind a cursor."""
        place = self._ways[cursor.way][cursor.place]
        jobs = [self._found(place, cursor, *parts) for parts in found]
        if is_last and len(_rest(place, cursor)) <= STEP:
            return jobs, replace(cursor, place=cursor.place + 1, at="", local_id="", looked=cursor.looked + looked)
        return jobs, _behind(cursor, last_id, at, looked)

    @cached_property
    def _sizes(self) -> list[list[int]]:
        """How many ids each place of each way had, about. Redis: sizes.lua for each queue, one round trip."""
        asked: dict[str, list[dict[str, Any]]] = {}
        numbers = [[_ask(asked, place) for place in way] for way in self._ways]
        calls = []
        for queue, wanted in asked.items():
            keys = QueueKeys(self._prefix, queue)
            calls.append(Call(load("sizes"), keys, [keys.tag, json.dumps(wanted, ensure_ascii=False)]))
        with translate_errors(self._client):
            replies = run_all(self._client, calls)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        told = dict(zip(asked, replies, strict=True))
        return [
            [int(told[place.queue][number]) for place, number in zip(way, counted, strict=True)]
            for way, counted in zip(self._ways, numbers, strict=True)
        ]

    def _beyond_empty(self, cursor: Cursor) -> Cursor:
        """The beginning of the next place that is not empty, or the end."""
        sizes = self._sizes[cursor.way]
        place = next((n for n in range(cursor.place, len(sizes)) if sizes[n]), len(sizes))
        return replace(cursor, place=place)

    def _wanted(self, place: Place, cursor: Cursor, most: int) -> dict[str, Any]:
        """What find.lua and its includes read; what is None is left out."""
        query = self._query
        indexes = [*(f"by:tag:{tag}" for tag in query.tags), *(f"by:error:{each}" for each in query.fingerprints)]
        wanted = {
            "source": place.source,
            "order": place.order,
            "low": place.low,
            "high": place.high,
            "id": cursor.local_id or None,
            "at": cursor.at or None,
            "most": most,
            "count": STEP if not query.is_plain else min(STEP, most + SLACK),
            "bytes": STEP_BYTES,
            # Listings look at few jobs: what bounds them is `bytes`.
            "seconds": STEP_S if self._query.needs_texts else 10 * STEP_S,
            "letters": "".join(map(_LETTERS.__getitem__, place.states)),
            "since": query.since_ms,
            "till": query.until_ms,
            "names": None if place.source.startswith("by:name:") else query.names,
            "beginnings": None if place.order == "given" else query.ids and beginnings(query.ids, place.queue),
            "indexes": [index for index in indexes if index != place.source] or None,
            # It has looked at most jobs twice: an id that is in the list twice leads it in a circle.
            "is_late": cursor.looked > 2 * cursor.total + SLACK or None,
            **self._texts,
            **self._shape,
        }
        return {name: value for name, value in wanted.items() if value not in (None, {})}

    def _found(self, place: Place, cursor: Cursor, local_id: bytes, at: bytes, looked: int, *texts: bytes) -> Found:
        behind = _behind(cursor, local_id, at, looked)
        if not texts:
            return Found(place.queue, behind.local_id, behind, None)
        state, message, *others = texts
        cut_bytes = self._shape["cut"]
        is_cut = cut_bytes is not None and len(message) > cut_bytes
        record = StateRecord.parse(state)
        job = RawJob(place.queue, behind.local_id, record, message, *others, is_cut=is_cut)
        return Found(place.queue, behind.local_id, behind, job)


class Reading:
    """The ids of all jobs that match, queue by queue, in batches that one action takes; made of a finder's steps.

    Args:
        finder: reads them.
        matches: whether one of those that may be wanted is.
        cursor: where it begins. Afterwards: where it has come to.
    """

    def __init__(self, finder: Finder, matches: Callable[[Found], bool], cursor: Cursor) -> None:
        self.cursor = cursor
        self._finder = finder
        self._matches = matches

    @property
    def is_over(self) -> bool:
        """Whether all were read."""
        return self._finder.is_over(self.cursor)

    def exact_size(self) -> int | None:
        """As the finder's."""
        return self._finder.exact_size()

    def __iter__(self) -> Iterator[tuple[str, list[str]]]:
        """Queue and local ids of each step, maybe none: whoever is in a hurry can end it there, and go on later."""
        while not self.is_over:
            found, behind = self._finder.step(self.cursor, BATCH)
            queue = self._finder.queue(self.cursor)
            ids = [each.local_id for each in found if self._matches(each)]
            self.cursor = behind
            yield queue, list(dict.fromkeys(ids))


def _ask(asked: dict[str, list[dict[str, Any]]], place: Place) -> int:
    """Ask for the size of a place; the number of that among what its queue is asked for."""
    wanted = asked.setdefault(place.queue, [])
    wanted.append(
        {"source": place.source, "order": place.order, "low": place.low, "high": place.high, "ids": place.ids}
    )
    return len(wanted) - 1


def _rest(place: Place, cursor: Cursor) -> list[str]:
    """The ids behind a cursor, where they are given."""
    return sorted(local_id for local_id in place.ids if local_id > cursor.local_id)


def _behind(cursor: Cursor, local_id: bytes, at: bytes, looked: int) -> Cursor:
    return replace(cursor, at=at.decode(), local_id=local_id.decode(), looked=cursor.looked + looked)
