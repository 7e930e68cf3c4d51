"""What failed jobs failed with, group by group: a part of the read half."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from ..record import FailureGroup
from . import scans
from .connect import translate_errors
from .keys import QueueKeys
from .scripts import Call, load, run_all

#: Groups that are told of, the largest.
MOST = 200
#: Hours of a group's trend.
HOURS = 24
#: What Lua makes of a group's text.
FINGERPRINT = re.compile(r"[0-9a-f]{12}")


def failures(client: Redis, queues: Mapping[str, QueueKeys]) -> list[FailureGroup]:
    """The failed jobs of these queues by error, the largest group first. Redis: failures.lua each, one round trip."""
    calls = [Call(load("failures"), keys, [keys.tag, MOST, HOURS]) for keys in queues.values()]
    found: dict[str, FailureGroup] = {}
    with translate_errors(client):
        for queue, reply in zip(queues, run_all(client, calls), strict=True):
            if isinstance(reply, Exception):
                raise reply
            for group in (_group(queue, parts) for parts in reply):
                known = found.get(group.fingerprint)
                found[group.fingerprint] = _merged(known, group) if known else group
    return sorted(found.values(), key=lambda group: (-group.count, group.fingerprint))[:MOST]


def failed_ids(
    client: Redis, keys: QueueKeys, until_ms: int, *, name: str | None = None, error: str | None = None
) -> list[str]:
    """Local ids of jobs that failed by `until_ms`, the first to fail first; with a name maybe cancelled ones, too.

    Args:
        client: of the server.
        keys: the queue's.
        until_ms: Unix ms.
        name: only those of this name; ignored with an error.
        error: only those of this group, by its fingerprint, or of this type; a message after the type is ignored.
    """
    if error is None:
        return scans.finished(client, keys["failed" if name is None else f"by:name:{name}"], until_ms)
    found: dict[bytes, float] = {}
    for group in _groups_of(client, keys, error):
        found |= scans.moments(client, group, until_ms)
    return scans.first_to_finish(found)


def _groups_of(client: Redis, keys: QueueKeys, error: str) -> Iterator[str]:
    """The keys of the groups of an error."""
    if FINGERPRINT.fullmatch(error):
        yield keys[f"by:error:{error}"]
        return
    for fingerprint, text in scans.fields(client, keys["errors"]):
        if json.loads(text)["type"] == error.partition(": ")[0]:
            yield keys[f"by:error:{fingerprint}"]


def _group(queue: str, parts: Sequence[Any]) -> FailureGroup:
    fingerprint, text, count, first, last, error, names, trend = parts
    kind = json.loads(text)
    return FailureGroup(
        fingerprint=fingerprint.decode(),
        type=kind["type"],
        place=kind["place"],
        message=json.loads(error)["message"] if error else "",
        count=count,
        first_at=_moment(first),
        last_at=_moment(last),
        queues={queue: count},
        names=tuple(name.decode() for name in reversed(names)),
        trend=tuple(trend),
    )


def _merged(one: FailureGroup, other: FailureGroup) -> FailureGroup:
    """The same group in two places; the message is that of the last job."""
    newer, older = (one, other) if one.last_at >= other.last_at else (other, one)
    return replace(
        newer,
        count=one.count + other.count,
        first_at=min(one.first_at, other.first_at),
        queues={**one.queues, **other.queues},
        names=tuple(dict.fromkeys([*newer.names, *older.names])),
        trend=tuple(map(sum, zip(one.trend, other.trend, strict=True))),
    )


def _moment(moment_ms: bytes) -> datetime:
    return datetime.fromtimestamp(float(moment_ms) / 1000, UTC)
