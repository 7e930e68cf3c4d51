"""What operators do to many jobs at once: to those they selected, or step by step to all that match a query."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast, get_args

from .broker import QueueBroker
from .environment import is_text
from .operations import FLAWS
from .query import Query
from .record import Count, JobState
from .signals import job_cancelled
from .store.actions import Action
from .store.cursors import digest, read_cursor
from .store.keys import LOCAL_ID, full_id, split_id
from .store.queries import SCAN, Queries
from .store.state import STATES
from .store.transitions import BATCH
from .trail import Trail

#: Jobs that one call changes at most.
MOST = 1000
#: Seconds after which a step ends, about.
STEP_S = 0.5
#: Up to so many the audit trail has their ids.
NAMED = 20

#: Why nothing was done to a job that is not there.
UNKNOWN = "there is no such job"

#: The states from which an action leads on.
FROM: Mapping[Action, tuple[JobState, ...]] = {
    "retry": (JobState.FAILED, JobState.CANCELLED),
    "cancel": (JobState.WAITING, JobState.DELAYED, JobState.ACTIVE),
    "promote": (JobState.DELAYED,),
    "delete": tuple(state for state in JobState if state is not JobState.ACTIVE),
}
#: What an action's script says of a job that it changed.
_DONE: Mapping[Action, frozenset[str]] = {
    "retry": frozenset("fx"),
    "cancel": frozenset("wda"),
    "promote": frozenset("d"),
    "delete": frozenset("+"),
}
_LETTERS = {state: letter for letter, state in STATES.items()}


@dataclass(frozen=True, slots=True)
class BulkStep:
    """What a step of a bulk action did, and how far it is."""

    #: How many jobs it changed.
    done: int
    #: Jobs that matched, and were in another state by then, or are kept back by another job's unique key.
    refused: int
    #: How many jobs were looked at, in the steps before too.
    scanned: int
    #: How many there are to look at, about.
    total: int
    #: Of the next step, None after the last one.
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of jobs that were selected."""

    #: Full ids.
    done: Sequence[str]
    #: Full id → why not.
    refused: Mapping[str, str] = field(default_factory=dict)


class Bulk:
    """Actions on many jobs of one app: `retry`, `cancel`, `promote` and `delete`. An active job is asked to stop.

    Each job is changed in one step, or not at all. To do it again is safe, also while workers run.

    Args:
        broker: of the app.
        actor: who acts, as the audit trail is to tell it; None for code.
    """

    def __init__(self, broker: QueueBroker, *, actor: str | None = None) -> None:
        self._broker = broker
        self._secrets = broker.config.redact
        self._queries = Queries(broker.store, list(broker.queues), broker.max_retries_of)
        self._trail = Trail(broker, actor)

    def count(self, action: Action, query: Query) -> Count:
        """For how many jobs a bulk action would be: `number`; without `is_exact` so many were found within 0.7 s.

        Args:
            action: `retry`, `cancel`, `promote` or `delete`.
            query: to which jobs; see `Monitor.query`.

        Raises:
            ValueError: no such action.
            QueueUnavailable: Redis is away.
        """
        return self._queries.count(_narrowed(action, query), secrets=self._secrets)

    def step(self, action: Action, query: Query, cursor: str | None = None) -> BulkStep:
        """Act on up to 1,000 of the jobs that match, for half a second, about; one entry in the audit trail.

        Call it until there is no `next_cursor`. That ends, whatever workers do: it is for the jobs that were there when
        the first step began. One that failed again since is not retried twice. Unfinished jobs that go back to be
        delayed meanwhile, as for a retry of their own, can be left out.

        Args:
            action: `retry`, `cancel`, `promote` or `delete`.
            query: to which jobs, of those in a state from which the action leads on; see `Monitor.query`.
            cursor: the `next_cursor` of the step before.

        Returns: how many were done, and the cursor of the next step.

        Raises:
            ValueError: no such action, or a wrong cursor.
            QueueUnavailable: Redis is away. What was done is done, and the same step can be made again.
        """
        mark = digest(query, [*self._broker.queues, action])
        begun = None if cursor is None else read_cursor(cursor, mark)
        began_ms = begun.began_ms if begun else self._queries.now_ms()
        # What has changed since then is another matter: so what was retried, and failed again, is not retried twice.
        asked = _narrowed(action, query).also(Query(until_ms=began_ms))
        reading = self._queries.reading(asked, secrets=self._secrets, mark=mark, began_ms=began_ms, begun=begun)
        done, refused, until_s = list[str](), 0, time.monotonic() + STEP_S
        try:
            for queue, ids in reading:
                letters = self._act(action, asked, {queue: ids}, began_ms)[queue]
                changed = [local_id for local_id, letter in zip(ids, letters, strict=True) if letter in _DONE[action]]
                done += (full_id(queue, local_id) for local_id in changed)
                refused += len(ids) - len(changed)
                if len(done) + refused > MOST - BATCH or time.monotonic() > until_s:
                    break
        finally:
            if done:
                named = done if len(done) <= NAMED else None
                self._trail.note(action, "*", count=len(done), ids=named, **query.as_data())
        behind = reading.cursor
        total = max(behind.looked, behind.total)
        return BulkStep(len(done), refused, behind.looked, total, None if reading.is_over else str(behind))

    def apply_to(self, action: Action, job_ids: Sequence[str]) -> Applied:
        """Act on these jobs; one entry in the audit trail. Redis: one round trip.

        Args:
            action: `retry`, `cancel`, `promote` or `delete`.
            job_ids: up to 1,000 full ids.

        Returns: which were done, and why others were not.

        Raises:
            ValueError: no such action, or too many ids.
            QueueUnavailable: Redis is away; some may have been changed, and doing it again is safe.
        """
        _check(action)
        if len(job_ids) > MOST:
            raise ValueError(f"{action}: {len(job_ids):,} jobs were selected; give at most {MOST:,}")
        refused: dict[str, str] = {}
        by_queue: dict[str, list[str]] = defaultdict(list)
        for job_id in dict.fromkeys(job_ids):
            queue, local_id = split_id(job_id) if is_text(job_id) else ("", "")
            if queue in self._broker.queues and LOCAL_ID.fullmatch(local_id):
                by_queue[queue].append(local_id)
            else:
                refused[job_id] = UNKNOWN
        done = []
        for queue, letters in self._act(action, _narrowed(action, Query()), by_queue, None).items():
            for local_id, letter in zip(by_queue[queue], letters, strict=True):
                if letter in _DONE[action]:
                    done.append(full_id(queue, local_id))
                else:
                    refused[full_id(queue, local_id)] = _reason(letter)
        if done:
            self._trail.note(action, done[0] if len(done) == 1 else "*", count=len(done), ids=done)
        return Applied(done, refused)

    def _act(
        self, action: Action, asked: Query, ids: Mapping[str, Sequence[str]], until_ms: int | None
    ) -> dict[str, list[str]]:
        states = "".join(_LETTERS[state] for state in asked.states or ())
        found = self._broker.store.actions.apply(action, ids, states=states, until_ms=until_ms)
        if action == "cancel" and job_cancelled.receivers:
            for queue, letters in found.items():
                self._tell_of_cancelled(queue, ids[queue], letters)
        return found

    def _tell_of_cancelled(self, queue: str, local_ids: Sequence[str], letters: Sequence[str]) -> None:
        """Of those that waited or were delayed: their worker tells of others."""
        cancelled = [local_id for local_id, letter in zip(local_ids, letters, strict=True) if letter in ("w", "d")]
        for start in range(0, len(cancelled), SCAN):
            for _, record in self._queries.records(queue, cancelled[start : start + SCAN]):
                self._broker.tell(job_cancelled, record=record)


def _narrowed(action: Action, query: Query) -> Query:
    """The jobs of a query that are in a state from which the action leads on."""
    return query.also(Query(states=FROM[_check(action)]))


def _check(action: object) -> Action:
    """The action.

    Raises:
        ValueError: there is none such.
    """
    if action in get_args(Action):
        return cast(Action, action)
    raise ValueError(f"{action!r} is no action on many jobs; there are {', '.join(FROM)}")


def _reason(letter: str) -> str:
    if letter == "":
        return UNKNOWN
    return FLAWS.get(letter) or f"is {STATES[letter].value}"
