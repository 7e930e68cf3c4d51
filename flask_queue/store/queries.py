"""The read half: jobs, pages of jobs, counts. Changes nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import JobNotFound
from ..record import JobRecord, JobState, MinuteMetrics, Page
from . import scans, tallies
from .connect import translate_errors
from .keys import QueueKeys, full_id
from .records import RawJob
from .scripts import Call, load, run, run_all
from .state import StateRecord
from .store import Store

#: The states in the order in which listings of all states show them.
LISTED = (
    JobState.ACTIVE,
    JobState.WAITING,
    JobState.DELAYED,
    JobState.FAILED,
    JobState.COMPLETED,
    JobState.CANCELLED,
)
#: Ids read in one go while a listing looks for jobs that match.
SCAN = 200

_CURSOR = re.compile(rb"(\d{1,9})\.(\d{1,15})")


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
        self, *, states: Sequence[JobState], queues: Sequence[str], name: str | None, limit: int, cursor: str | None
    ) -> Page:
        """Up to `limit` jobs: state after state, queue after queue, each newest or next-to-run first.

        The cursor says where in which list to go on. Redis: two round trips for each `SCAN` ids looked at.
        """
        places = [(state, queue) for state in states for queue in queues]
        place, offset = (0, 0) if cursor is None else _read_cursor(cursor)
        records: list[JobRecord] = []
        while place < len(places):
            state, queue = places[place]
            for position, job in self._scan(state, queue, offset):
                if len(records) == limit:
                    return Page(records, _write_cursor(place, position))
                if job.state.job_state is state and name in (None, job.name):
                    records.append(self.record(job))
            place, offset = place + 1, 0
        return Page(records)

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

    def _scan(self, state: JobState, queue: str, offset: int) -> Iterator[tuple[int, RawJob]]:
        while ids := self._ids(state, queue, offset):
            positions = {local_id: position for position, local_id in enumerate(ids, offset)}
            for job in self._read(queue, ids):
                yield positions[job.local_id], job
            offset += len(ids)

    def _ids(self, state: JobState, queue: str, offset: int) -> list[str]:
        with translate_errors(self._store.client):
            return [local_id.decode() for local_id in self._list(state, self._keys(queue), offset, offset + SCAN - 1)]

    def _list(self, state: JobState, keys: QueueKeys, first: int, last: int) -> Any:
        client: Any = self._store.client
        match state:
            case JobState.DELAYED:
                return client.zrange(keys["delayed"], first, last)
            case JobState.COMPLETED | JobState.FAILED | JobState.CANCELLED:
                return client.zrevrange(keys[state.value], first, last)
            case JobState.WAITING:
                return self._waiting(client, keys)[first : last + 1]
            case _:
                workers = [worker.decode() for worker in client.zrange(keys["workers"], 0, -1)]
                held = [client.smembers(keys[f"active:{worker}"]) for worker in workers]
                return sorted(local_id for ids in held for local_id in ids)[first : last + 1]

    def _waiting(self, client: Any, keys: QueueKeys) -> list[bytes]:
        before = client.zrangebyscore(keys["prioritized"], "-inf", "(0")
        after = client.zrangebyscore(keys["prioritized"], "(0", "+inf")
        return [*before, *client.lrange(keys["waiting"], 0, -1), *after]


def _write_cursor(place: int, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{place}.{offset}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, int]:
    try:
        found = _CURSOR.fullmatch(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError):
        found = None
    if found is None:
        raise ValueError("this cursor is not one of a page's next_cursor")
    return int(found[1]), int(found[2])
