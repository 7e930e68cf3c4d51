"""Where the jobs of a query are: lists and indexes of queues, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..query import Query
from ..record import JobState

#: The states in the order in which listings of all states show them.
LISTED = (
    JobState.ACTIVE,
    JobState.WAITING,
    JobState.DELAYED,
    JobState.FAILED,
    JobState.COMPLETED,
    JobState.CANCELLED,
)
FINISHED = frozenset((JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED))
#: States in which a record tells of an error.
TROUBLED = frozenset((JobState.WAITING, JobState.DELAYED, JobState.ACTIVE, JobState.FAILED))
#: States of which there is an index by name.
_NAMED = frozenset((JobState.FAILED, JobState.CANCELLED))


@dataclass(frozen=True, slots=True)
class Place:
    """A list of ids. Those of jobs in other states than these are passed over."""

    queue: str
    states: tuple[JobState, ...]
    #: The key, without the queue's tag; empty where the ids are known otherwise.
    source: str
    #: See `lua/includes/next_ids.lua`; the ids of active jobs are in the sets of their workers.
    order: Literal["up", "down", "list", "active", "given"]
    #: Scores within which a sorted set is read, as Redis writes them.
    low: str = "-inf"
    high: str = "+inf"
    #: Where they are given.
    ids: tuple[str, ...] = ()


def ways(query: Query, queues: Sequence[str], *, oldest_first: bool = False) -> list[list[Place]]:
    """All ways to read the jobs of a query: over the lists of their states, then over each index of which all are in.

    Args:
        query: what is asked for.
        queues: all queues, in the order of listings.
        oldest_first: see `Finder`.
    """
    names = _queues(query, queues)
    states = states_of(query)
    lists = [place for state in states for queue in names for place in _lists(query, state, queue)]
    since, until = _times(query)
    # The scores by tag are the times of dispatch, before which nothing has finished.
    by_tag = [[Place(queue, states, f"by:tag:{tag}", "down", high=until) for queue in names] for tag in query.tags]
    by_error = [
        [Place(queue, states, f"by:error:{fingerprint}", "down", since, until) for queue in names]
        for fingerprint in query.fingerprints
    ]
    found = [lists, *by_tag, *by_error]
    if not oldest_first:
        return found
    return [[_turned(place) for place in reversed(way)] for way in found]


def whole_ids(query: Query, queues: Sequence[str]) -> list[Place]:
    """The places of the ids that are asked for, should they be whole ids and not beginnings."""
    places = []
    for queue in _queues(query, queues) if query.ids else ():
        ids = tuple(beginnings(query.ids or (), queue))
        places.append(Place(queue, states_of(query), "", "given", ids=ids))
    return places


def counted_way(query: Query) -> int | None:
    """The number of the way whose length is that of the jobs that meet the query, if there is one."""
    states = states_of(query)
    if query.asks_only("states", "queues", "since_ms", "until_ms") and FINISHED.issuperset(states):
        return 0
    if query.asks_only("queues", "tags") and len(query.tags) == 1:
        return 1
    if query.asks_only("states", "queues", "fingerprints", "since_ms", "until_ms") and len(query.fingerprints) == 1:
        return 1 if states else None
    return None


def states_of(query: Query) -> tuple[JobState, ...]:
    """The states in which there can be such a job, in the order of listings."""
    return tuple(
        state
        for state in LISTED
        if (query.states is None or state in query.states)
        and (not query.errors or state in TROUBLED)
        and (not query.fingerprints or state is JobState.FAILED)
    )


def beginnings(ids: Sequence[str], queue: str) -> list[str]:
    """What full and local ids, or their beginnings, mean in this queue."""
    parts = [each.rpartition(":") for each in ids]
    return list(dict.fromkeys(beginning for of, _, beginning in parts if of in ("", queue)))


def _queues(query: Query, queues: Sequence[str]) -> list[str]:
    return [
        queue
        for queue in queues
        if (query.queues is None or queue in query.queues) and (query.ids is None or beginnings(query.ids, queue))
    ]


def _lists(query: Query, state: JobState, queue: str) -> Iterator[Place]:
    states = (state,)
    match state:
        case JobState.ACTIVE:
            yield Place(queue, states, "", "active")
        case JobState.WAITING:
            # What has a priority runs before or after the list: see lua/includes/push.lua.
            yield Place(queue, states, "prioritized", "up", high="(0")
            yield Place(queue, states, "waiting", "list")
            yield Place(queue, states, "prioritized", "up", low="(0")
        case JobState.DELAYED:
            yield Place(queue, states, "delayed", "up")
        case _:
            since, until = _times(query)
            indexes = query.names if state in _NAMED and query.names is not None else None
            sources = [state.value] if indexes is None else [f"by:name:{name}" for name in indexes]
            for source in sources:
                yield Place(queue, states, source, "down", since, until)


def _turned(place: Place) -> Place:
    """The same place, read from the other end, if it is one of finished jobs, or of jobs in several states."""
    return replace(place, order="up") if place.order == "down" else place


def _times(query: Query) -> tuple[str, str]:
    """The scores within which jobs finished in time."""
    since_ms, until_ms = query.since_ms, query.until_ms
    return "-inf" if since_ms is None else str(since_ms), "+inf" if until_ms is None else str(until_ms)
