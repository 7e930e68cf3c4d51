"""What failed jobs failed with, group by group: a part of the read half."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from ..record import FailureGroup
from .connect import translate_errors
from .keys import QueueKeys
from .scripts import Call, load, run_all

#: Groups that are told of, the largest.
MOST = 200
#: Hours of a group's trend.
HOURS = 24


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
