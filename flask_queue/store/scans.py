"""The ids of all jobs in a state, read in bounded steps while workers go on.

A job that is in the state from the first step to the last is never left out; what is read can have left it since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis

from .connect import translate_errors

#: Entries that Redis looks at in one step: well below a millisecond.
STEP = 500
#: Values that one step may bring, about, and entries of the first step, before their size is known.
STEP_BYTES = 1 << 20
FIRST_STEP = 8
#: Ids that one read of the first to finish may bring: some milliseconds.
ONE_READ = 10_000


def finished(client: Redis, key: str, until_ms: int, limit: int | None = None) -> list[str]:
    """The ids of a sorted set of finished jobs, the first to finish first; only those that did by `until_ms`.

    All, or the first `limit`, are read before the first is returned: one that finishes again later is not returned
    twice. Retention bounds their number.
    """
    if limit is None or limit > ONE_READ:
        return first_to_finish(moments(client, key, until_ms))[:limit]
    with translate_errors(client):
        found: Any = client.zrangebyscore(key, "-inf", until_ms, start=0, num=limit)
    return [local_id.decode() for local_id in found]


def moments(client: Redis, key: str, until_ms: int) -> dict[bytes, float]:
    """Id → when it finished (Unix ms) of a sorted set of finished jobs; only those that did by `until_ms`."""
    with translate_errors(client):
        pairs = client.zscan_iter(key, count=STEP)
        return {local_id: moment for local_id, moment in pairs if moment <= until_ms}


def first_to_finish(finished: Mapping[bytes, float]) -> list[str]:
    """The ids in the order of their times."""
    return [local_id.decode() for local_id in sorted(finished, key=lambda each: (finished[each], each))]


def members(client: Redis, key: str) -> Iterator[str]:
    """The ids of a sorted set, in no order; some may come twice."""
    with translate_errors(client):
        for local_id, _ in client.zscan_iter(key, count=STEP):
            yield local_id.decode()


def waiting(client: Redis, key: str) -> Iterator[str]:
    """The ids of the waiting list, tombstones too, from its back: whatever joins or leaves it, none is skipped."""
    read = 0
    while True:
        with translate_errors(client):
            ids: Any = client.lrange(key, -read - STEP, -read - 1)
        if not ids:
            return
        yield from (local_id.decode() for local_id in reversed(ids))
        read += len(ids)


def fields(client: Redis, key: str) -> Iterator[tuple[str, bytes]]:
    """The fields of a hash with their values, in no order; some may come twice.

    A step is as large as the values let it be: they may be payloads.
    """
    cursor, count = 0, FIRST_STEP
    while True:
        with translate_errors(client):
            reply: Any = client.hscan(key, cursor, count=count)
        cursor, pairs = reply
        yield from ((field.decode(errors="replace"), value) for field, value in pairs.items())
        if not cursor:
            return
        size = sum(map(len, pairs.values()))
        count = max(1, count // 2) if size > STEP_BYTES else min(STEP, count * 2)
