"""Reads the jobs of a query step by step, each of them bounded, whatever comes and goes meanwhile.

A job that stays where it is from the first step to the last is neither left out nor, in sorted sets, found twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from redis import Redis

from ..query import Query
from . import merge, prefilter
from .connect import translate_errors
from .cursors import Cursor, Found
from .keys import QueueKeys
from .places import Place, beginnings, counted_way, ways, whole_ids
from .records import RawJob
from .scripts import Argument, Call, load, run
from .state import STATES, StateRecord
from .transitions import BATCH

#: Ids that Redis looks at in one step: some milliseconds at most.
STEP = 500
#: Of messages and attempts that Redis reads in one step, besides the last one.
STEP_BYTES = 1 << 20
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
        self._shape = {"cut": None if query.needs_texts else cut_bytes, "ids_only": ids_only}

    def begin(self, digest: str, began_ms: int = 0) -> Cursor:
        """The cursor at the beginning of the shortest way. Redis: one round trip."""
        sizes = self._sizes()
        *others, whole = sizes
        # Where there are jobs of these whole ids, those are meant.
        chosen = len(others) if whole else min(range(len(others)), key=others.__getitem__)
        return Cursor(digest, chosen, 0, total=sizes[chosen], began_ms=began_ms)

    def exact_size(self) -> int | None:
        """How many jobs meet the query, where the length of a list or an index tells. Redis: one round trip."""
        way = counted_way(self._query)
        return None if way is None else self._sizes()[way]

    def is_over(self, cursor: Cursor) -> bool:
        """Whether nothing comes behind it."""
        return cursor.way >= len(self._ways) or cursor.place >= len(self._ways[cursor.way])

    def queue(self, cursor: Cursor) -> str:
        """Which queue comes next; it is not over."""
        return self._ways[cursor.way][cursor.place].queue

    def step(self, cursor: Cursor, most: int) -> tuple[list[Found], Cursor]:
        """Up to `most` jobs that may be wanted, and where to go on. Redis: find.lua, over at most `STEP` ids.

        The ids of active jobs take two round trips before that; lists of several queues that are read as one take one
        for each of those.
        """
        group = range(0) if self._shape["ids_only"] else merge.group(self._query, self._ways[cursor.way], cursor.place)
        if len(group) < 2:
            return self._look(cursor, most)
        places = self._ways[cursor.way]
        is_up = places[cursor.place].order == "up"
        looks = [self._look(merge.part(cursor, index, is_up=is_up), most) for index in group]
        return merge.merged(cursor, list(zip(group, looks, strict=True)), most, is_up=is_up)

    def _look(self, cursor: Cursor, most: int) -> tuple[list[Found], Cursor]:
        place = self._ways[cursor.way][cursor.place]
        keys = QueueKeys(self._prefix, place.queue)
        with translate_errors(self._client):
            rest = self._known_ids(place, keys, cursor.local_id)
            args: list[Argument] = [
                keys.tag,
                json.dumps(self._wanted(place, cursor, most), ensure_ascii=False),
                *rest[:STEP],
            ]
            looked, is_last, last_id, at, found = run(self._client, Call(load("find"), keys, args))
        jobs = [self._found(place, cursor, *parts) for parts in found]
        if is_last and len(rest) <= STEP:
            behind = replace(cursor, place=cursor.place + 1, at="", local_id="", looked=cursor.looked + looked)
        else:
            behind = _behind(cursor, last_id, at, looked)
        return jobs, behind

    def _sizes(self) -> list[int]:
        """How many ids each way has, about. Redis: one round trip."""
        with translate_errors(self._client), self._client.pipeline(transaction=False) as pipeline:
            commands = [sum(self._add_size(pipeline, place) for place in way) for way in self._ways]
            replies = iter(pipeline.execute())
            return [sum(int(next(replies)) for _ in range(count)) for count in commands]

    def _add_size(self, pipeline: Any, place: Place) -> int:
        """Ask how many ids a place has; returns how many commands that took."""
        keys = QueueKeys(self._prefix, place.queue)
        match place.order:
            case "up" | "down":
                pipeline.zcount(keys[place.source], place.low, place.high)
            case "list":
                pipeline.llen(keys[place.source])
            case "given":
                for local_id in place.ids:
                    pipeline.hexists(keys["state"], local_id)
                return len(place.ids)
            case "active":
                return 0  # few: as many as there are threads
        return 1

    def _known_ids(self, place: Place, keys: QueueKeys, last_id: str) -> list[str]:
        """The ids behind the last one, where they are not read in Redis."""
        ids = set(place.ids)
        if place.order == "active":
            client: Any = self._client
            workers = client.zrange(keys["workers"], 0, -1)
            with client.pipeline(transaction=False) as pipeline:
                for worker in workers:
                    pipeline.smembers(keys[f"active:{worker.decode()}"])
                ids = {local_id.decode() for held in pipeline.execute() for local_id in held}
        return sorted(local_id for local_id in ids if local_id > last_id)

    def _wanted(self, place: Place, cursor: Cursor, most: int) -> dict[str, Any]:
        """What find.lua and its includes read; what is None is left out."""
        query = self._query
        indexes = [*(f"by:tag:{tag}" for tag in query.tags), *(f"by:error:{each}" for each in query.fingerprints)]
        wanted = {
            "source": place.source,
            "order": "given" if place.order == "active" else place.order,
            "low": place.low,
            "high": place.high,
            "id": cursor.local_id or None,
            "at": cursor.at or None,
            "most": most,
            "count": STEP if not query.is_plain else min(STEP, most + SLACK),
            "bytes": STEP_BYTES,
            "seconds": STEP_S,
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


def _behind(cursor: Cursor, local_id: bytes, at: bytes, looked: int) -> Cursor:
    return replace(cursor, at=at.decode(), local_id=local_id.decode(), looked=cursor.looked + looked)
