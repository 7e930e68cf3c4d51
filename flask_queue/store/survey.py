"""All that an overview shows of the queues, in one round trip: a part of the read half."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from ..record import MinuteMetrics
from . import tallies
from .connect import translate_errors
from .keys import QueueKeys
from .scripts import Call, load, run_all

#: The states in the order in which scripts count them.
COUNTED = ("waiting", "delayed", "active", "completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class QueueSurvey:
    """One queue at a glance."""

    name: str
    #: State → number of jobs.
    counts: Mapping[str, int]
    #: How long the next job to run has been due, ms; None where none is to run now.
    oldest_wait_ms: int | None
    #: Why it is paused, which may be an empty text; None where it is not.
    pause_reason: str | None
    #: What happened lately, the oldest step first.
    metrics: Sequence[MinuteMetrics]


@dataclass(frozen=True, slots=True)
class Survey:
    """All queues at a glance, and what happened on them together."""

    queues: Sequence[QueueSurvey]
    metrics: Sequence[MinuteMetrics]


def survey(client: Redis, queues: Sequence[QueueKeys], *, minutes: int, step_minutes: int) -> Survey:
    """Look at all of these queues; numbers as in `tallies.metrics`. Redis: survey.lua for each, one round trip."""
    counted = tallies.arguments(minutes, step_minutes)
    with translate_errors(client):
        replies = run_all(client, [Call(load("survey"), keys, [keys.tag, *counted]) for keys in queues])
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
    found = [tallies.parse(reply, step_minutes) for reply in replies]
    surveyed = []
    for keys, tally, (counts, oldest_ms, reason) in zip(queues, found, [reply[3:] for reply in replies], strict=True):
        surveyed.append(
            QueueSurvey(
                keys.queue,
                dict(zip(COUNTED, map(int, counts), strict=True)),
                None if int(oldest_ms) < 0 else int(oldest_ms),
                None if reason is None else reason.decode(),
                tallies.told(tally, minutes, step_minutes),
            )
        )
    return Survey(surveyed, tallies.told(tallies.add(found), minutes, step_minutes))
