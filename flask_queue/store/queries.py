"""The read half: jobs, pages of jobs, counts. Changes nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import JobNotFound
from ..query import Query
from ..record import Count, JobRecord, JobState, MinuteMetrics, Page
from ..redact import hide_secrets
from . import places, scans, tallies
from .connect import translate_errors
from .cursors import Cursor, Found, digest, read_cursor
from .finder import Finder, Reading
from .keys import QueueKeys, full_id
from .records import RawJob
from .scripts import Call, load, run, run_all
from .state import StateRecord
from .store import Store

#: Ids read in one go by what reads them all.
SCAN = 200
#: Seconds for which a page is looked for.
WITHIN_S = 0.7


class Queries:
    """Reads of one app's store.

    Args:
        store: where the jobs are.
        queues: names of its queues, in the order of listings.
        max_retries_of: the `max_retries` of a job's name, for jobs whose dispatch did not set their own.
    """

    def __init__(self, store: Store, queues: Sequence[str], max_retries_of: Callable[[str], int]) -> None:
        self._store = store
        self._queues = queues
        self._max_retries_of = max_retries_of

    def get(self, queue: str, local_id: str) -> JobRecord:
        """One job. Redis: read.lua, one round trip.

        Raises:
            JobNotFound: there is none.
        """
        return self.record(self.raw(queue, local_id))

    def raw(self, queue: str, local_id: str) -> RawJob:
        """What Redis holds of one job; as `get`."""
        for job in self._read(queue, [local_id]):
            return job
        raise JobNotFound(full_id(queue, local_id))

    def has(self, queue: str, local_id: str) -> bool:
        """Whether there is such a job. Redis: one round trip."""
        with translate_errors(self._store.client):
            return bool(self._store.client.hexists(self._keys(queue)["state"], local_id))

    def find(self, local_id: str) -> list[str]:
        """The queues that have a job of this local id. Redis: one round trip."""
        with translate_errors(self._store.client), self._store.client.pipeline(transaction=False) as pipeline:
            for queue in self._queues:
                pipeline.hexists(self._keys(queue)["state"], local_id)
            return [queue for queue, has_it in zip(self._queues, pipeline.execute(), strict=True) if has_it]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many jobs each queue has in each state. Redis: counts.lua for each queue, one round trip."""
        order = ("waiting", "delayed", "active", "completed", "failed", "cancelled")
        calls = [Call(load("counts"), self._keys(queue), [self._keys(queue).tag]) for queue in self._queues]
        with translate_errors(self._store.client):
            replies = run_all(self._store.client, calls)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return {queue: dict(zip(order, reply, strict=True)) for queue, reply in zip(self._queues, replies, strict=True)}

    def metrics(self, queues: Sequence[str], *, minutes: int, step_minutes: int) -> list[MinuteMetrics]:
        """What happened on these queues together; as `tallies.metrics`."""
        keys = [self._keys(queue) for queue in queues]
        return tallies.metrics(self._store.client, keys, minutes=minutes, step_minutes=step_minutes)

    def logs(self, queue: str, local_id: str, limit: int) -> list[str]:
        """The newest `limit` lines of a job's log, oldest first. Redis: one round trip."""
        with translate_errors(self._store.client):
            lines: Any = self._store.client.lrange(self._keys(queue)[f"logs:{local_id}"], -limit, -1)
        return [line.decode(errors="replace") for line in lines]

    def paused(self) -> dict[str, str]:
        """The reason for each queue that is paused. Redis: one round trip."""
        with translate_errors(self._store.client), self._store.client.pipeline(transaction=False) as pipeline:
            for queue in self._queues:
                pipeline.hget(self._keys(queue)["meta"], "paused")
            reasons = zip(self._queues, pipeline.execute(), strict=True)
        return {queue: reason.decode() for queue, reason in reasons if reason is not None}

    def pause_reason(self, queue: str) -> str | None:
        """The reason if this queue is paused. Redis: one round trip."""
        with translate_errors(self._store.client):
            reason: Any = self._store.client.hget(self._keys(queue)["meta"], "paused")
        return None if reason is None else str(reason.decode())

    def oldest_wait_ms(self, queue: str) -> int | None:
        """How long the queue's next job to run has been waiting; None where there is none. Redis: oldest.lua."""
        with translate_errors(self._store.client):
            wait_ms = int(run(self._store.client, Call(load("oldest"), self._keys(queue), [])))
        return None if wait_ms < 0 else wait_ms

    def now_ms(self) -> int:
        """Redis's clock, Unix ms."""
        with translate_errors(self._store.client):
            seconds, micros = self._store.client.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def ids(self, state: JobState, queue: str, until_ms: int, limit: int | None = None) -> Iterator[str]:
        """The ids of all jobs in a state, read while workers go on: some may come twice, or be in another by now.

        Finished ones are those that finished by `until_ms`, the first to finish first, and no more than `limit`.
        Redis: bounded steps.
        """
        client, keys = self._store.client, self._keys(queue)
        match state:
            case JobState.COMPLETED | JobState.FAILED | JobState.CANCELLED:
                yield from scans.finished(client, keys[state.value], until_ms, limit)
            case JobState.DELAYED:
                yield from scans.members(client, keys["delayed"])
            case JobState.WAITING:
                yield from scans.members(client, keys["prioritized"])
                yield from scans.waiting(client, keys["waiting"])
            case JobState.ACTIVE:
                raise ValueError("active jobs belong to their workers")

    def records(self, queue: str, local_ids: Sequence[str]) -> Iterator[tuple[str, JobRecord]]:
        """Local id and record of each of these jobs that there is. Redis: one round trip."""
        for job in self._read(queue, local_ids):
            yield job.local_id, self.record(job)

    def page(
        self,
        query: Query,
        *,
        secrets: Sequence[str] = (),
        limit: int,
        cursor: str | None = None,
        cut_bytes: int | None = None,
        within_s: float = WITHIN_S,
    ) -> Page:
        """Up to `limit` jobs: state after state, each newest or next-to-run first.

        Finished and delayed jobs of several queues come in one order, by their times; waiting and active ones, and
        those that are searched for, come queue after queue.

        With a tag, or an error's fingerprint, all newest first where its index is shorter than the lists.

        Args:
            query: what is asked for; a plain one fills its page, others look for `within_s` seconds, about.
            secrets: words of secret keys, see `redact`: their values are not searched.
            limit: at least 1.
            cursor: the `next_cursor` of the page before.
            cut_bytes: longer messages are read as far as this, and their payloads are excerpts.
            within_s: a page that is not full by then has a `next_cursor` to go on.

        Raises:
            ValueError: the cursor is none, or that of another query.
        """
        finder = self._finder(query, cut_bytes=cut_bytes)
        mark = digest(query, self._queues)
        behind = finder.begin(mark) if cursor is None else read_cursor(cursor, mark)
        until_s = math.inf if query.is_plain else time.monotonic() + within_s
        records: dict[str, JobRecord] = {}
        last, matches = behind, self._match(query, secrets)
        while not finder.is_over(behind):
            found, behind = finder.step(behind, limit - len(records) + 1)
            for each in found:
                if matches(each):
                    if len(records) == limit:
                        return _page(records, last)
                    records[full_id(each.queue, each.local_id)] = self.record(each.raw)
                    last = each.cursor
                # A step brings megabytes of payloads at most, which may take seconds to look through.
                if time.monotonic() > until_s and each is not found[-1]:
                    return _page(records, each.cursor)
            # Whether anything follows is known at once in a plain listing; elsewhere it may take long.
            if time.monotonic() > until_s or (len(records) == limit and not query.is_plain):
                return _page(records, behind, is_over=finder.is_over(behind))
        return _page(records, behind, is_over=True)

    def count(self, query: Query, *, secrets: Sequence[str] = (), within_s: float = WITHIN_S) -> Count:
        """How many jobs meet a query: exact where lists and indexes tell, or where it takes less than `within_s`.

        Args:
            query: what is asked for.
            secrets: as of `page`.
            within_s: seconds after which what was found is all that is told.
        """
        if query.is_plain:
            states = [state.value for state in places.states_of(query)]
            counts = self.counts()
            queues = [queue for queue in self._queues if query.queues is None or queue in query.queues]
            return Count(sum(counts[queue][state] for queue in queues for state in states))
        reading = self.reading(query, secrets=secrets)
        if (size := reading.exact_size()) is not None:
            return Count(size)
        until_s, found = time.monotonic() + within_s, set[tuple[str, str]]()
        for queue, ids in reading:
            found.update((queue, local_id) for local_id in ids)
            if time.monotonic() > until_s:
                break
        return Count(len(found), reading.is_over)

    def reading(
        self,
        query: Query,
        *,
        secrets: Sequence[str] = (),
        mark: str = "",
        began_ms: int = 0,
        begun: Cursor | None = None,
    ) -> Reading:
        """All jobs that meet a query, step by step, those first that finished first.

        Args:
            query: what is asked for.
            secrets: as of `page`.
            mark: tells its cursor from others, see `digest`.
            began_ms: of its cursor.
            begun: where to go on, if it has begun.
        """
        finder = self._finder(query, ids_only=not query.needs_texts, oldest_first=True)
        return Reading(finder, self._match(query, secrets), begun or finder.begin(mark, began_ms))

    def _finder(self, query: Query, **shape: Any) -> Finder:
        return Finder(self._store.client, self._store.prefix, self._queues, query, **shape)

    def _match(self, query: Query, secrets: Sequence[str]) -> Callable[[Found], bool]:
        """Tells whether a job that may be wanted is."""
        if not query.needs_texts:
            return lambda found: True
        return lambda found: query.matches(hide_secrets(self.record(found.raw), secrets))

    def record(self, job: RawJob) -> JobRecord:
        """The public record of what Redis holds."""
        return job.record(self._max_retries_of(job.name))

    def _keys(self, queue: str) -> QueueKeys:
        return self._store.transitions.keys(queue)

    def _read(self, queue: str, local_ids: Sequence[str]) -> Iterator[RawJob]:
        keys = self._keys(queue)
        with translate_errors(self._store.client):
            replies = run(self._store.client, Call(load("read"), keys, local_ids))
        for local_id, state, *texts in zip(local_ids, *replies, strict=True):
            if state is not None:
                yield RawJob(queue, local_id, StateRecord.parse(state), *(text or b"" for text in texts))


def _page(records: Mapping[str, JobRecord], cursor: Cursor, *, is_over: bool = False) -> Page:
    """The page whose next one begins behind this cursor."""
    # What is looked at includes jobs that came meanwhile, or came twice.
    total = max(cursor.looked, cursor.total)
    return Page(list(records.values()), None if is_over else str(cursor), scanned=cursor.looked, total=total)
