"""The read model, for the extension, the command line and pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from .broker import QueueBroker
from .environment import given, given_number, is_text, moment, text, whole
from .errors import JobNotFound, UnknownQueue
from .query import Query
from .record import AuditPage, Count, FailureGroup, JobRecord, JobState, MinuteMetrics, Page, WorkerInfo, state_of
from .search import about_error, parse
from .store.connect import translate_errors
from .store.failures import failures
from .store.keys import LOCAL_ID, full_id, split_id
from .store.queries import Queries
from .store.survey import Survey, survey
from .store.tallies import BY_HOUR, BY_MINUTE
from .store.totals import QueueTotals, totals


class Monitor:
    """Looks at the jobs of one app, and changes nothing.

    Args:
        broker: of the app.
    """

    def __init__(self, broker: QueueBroker) -> None:
        self._broker = broker
        self._queries = Queries(broker.store, list(broker.queues), broker.max_retries_of)

    def get(self, job_id: str) -> JobRecord:
        """The job of this id; as `FlaskQueue.get`."""
        return self._queries.get(*self.resolve(job_id))

    def jobs(
        self,
        *,
        state: JobState | str | None = None,
        queue: str | None = None,
        name: str | None = None,
        tag: str | None = None,
        search: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Some jobs, and where to go on; as `FlaskQueue.jobs`."""
        query = self.query(
            state=state, queue=queue, name=name, tag=tag, search=search, error=error, since=since, until=until
        )
        return self.page(query, limit=limit, cursor=cursor)

    def query(
        self,
        *,
        state: JobState | str | None = None,
        queue: str | None = None,
        name: str | None = None,
        tag: str | None = None,
        search: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Query:
        """What `FlaskQueue.jobs` would look for, given the same arguments. Asks Redis nothing.

        Raises:
            UnknownQueue: no such queue.
            ValueError: no such state, or another wrong argument.
        """
        given_since, given_until = (given("jobs", *each, moment) for each in (("since", since), ("until", until)))
        asked = Query(
            states=None if state is None else (given("jobs", "state", state, state_of),),
            queues=None if queue is None else (self.known(queue),),
            names=None if name is None else (given("jobs", "name", name, text),),
            tags=() if tag is None else (given("jobs", "tag", tag, text),),
            since_ms=None if given_since is None else math.ceil(given_since.timestamp() * 1000),
            until_ms=None if given_until is None else math.floor(given_until.timestamp() * 1000),
        )
        if error is not None:
            asked = asked.also(about_error(given("jobs", "error", error, text)))
        if search is not None:
            asked = asked.also(parse(given("jobs", "search", search, text), queues=list(self._broker.queues)))
        return asked

    def page(self, query: Query, *, limit: int = 50, cursor: str | None = None, cut_bytes: int | None = None) -> Page:
        """As `jobs`, of a query; longer messages than `cut_bytes` are cut, and their payloads become excerpts."""
        most = given_number("jobs", "limit", limit, whole(1))
        secrets = self._broker.config.redact
        return self._queries.page(query, secrets=secrets, limit=most, cursor=cursor, cut_bytes=cut_bytes)

    def count(self, query: Query) -> Count:
        """How many jobs meet a query: exact where lists and indexes tell, or where 0.7 s are enough to look at all."""
        return self._queries.count(query, secrets=self._broker.config.redact)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many jobs each queue has in each state; as `FlaskQueue.counts`."""
        return self._queries.counts()

    def metrics(self, queue: str | None = None, *, minutes: int = 60, step_minutes: int = 1) -> list[MinuteMetrics]:
        """What happened lately; as `FlaskQueue.metrics`."""
        step = given_number("metrics", "step_minutes", step_minutes, whole(1, BY_HOUR))
        most = BY_HOUR if step % 60 == 0 else BY_MINUTE
        span = given_number("metrics", "minutes", minutes, whole(step, most))
        return self._queries.metrics(self.queue_names(queue), minutes=span, step_minutes=step)

    def survey(self, queue: str | None = None, *, minutes: int = 60, step_minutes: int = 1) -> Survey:
        """Counts, waits, pauses and metrics of queues; arguments as in `metrics`. Redis: one round trip."""
        step = given_number("survey", "step_minutes", step_minutes, whole(1, BY_HOUR))
        span = given_number("survey", "minutes", minutes, whole(step, BY_HOUR if step % 60 == 0 else BY_MINUTE))
        keys = [self._broker.store.transitions.keys(name) for name in self.queue_names(queue)]
        return survey(self._broker.store.client, keys, minutes=span, step_minutes=step)

    def totals(self) -> list[QueueTotals]:
        """How each queue stands, and all that was ever counted on it. Redis: one round trip."""
        store = self._broker.store
        return totals(store.client, [store.transitions.keys(name) for name in self._broker.queues])

    def failures(self, queue: str | None = None) -> list[FailureGroup]:
        """What failed jobs failed with; as `FlaskQueue.failures`."""
        store = self._broker.store
        return failures(store.client, {name: store.transitions.keys(name) for name in self.queue_names(queue)})

    def logs(self, job_id: str, limit: int = 1000) -> list[str]:
        """The newest lines of a job's log; as `FlaskQueue.logs`."""
        most = given_number("logs", "limit", limit, whole(1))
        queue, local_id = self.resolve(job_id)
        lines = self._queries.logs(queue, local_id, most)
        if not lines and not self._queries.has(queue, local_id):
            raise JobNotFound(full_id(queue, local_id))
        return lines

    def paused(self) -> dict[str, str]:
        """The queues from which workers take no jobs, and why; as `FlaskQueue.paused`."""
        return self._queries.paused()

    def pause_reason(self, queue: str) -> str | None:
        """Why this queue is paused, which may be empty; None where it is not. Redis: one round trip.

        Raises:
            UnknownQueue: no such queue.
        """
        return self._queries.pause_reason(self.known(queue))

    def oldest_wait_ms(self, queue: str) -> int | None:
        """For how long the queue's next job has been due; as `FlaskQueue.oldest_wait_ms`."""
        return self._queries.oldest_wait_ms(self.known(queue))

    def audit(self, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """What operators did; as `FlaskQueue.audit`."""
        return self._broker.store.audit.page(limit, cursor)

    def workers(self) -> list[WorkerInfo]:
        """The living worker processes; as `FlaskQueue.workers`."""
        store = self._broker.store
        with translate_errors(store.client):
            return store.roster.living(store.client, lease_ms=self._broker.config.lease_ms)

    def queue_names(self, queue: str | None) -> Sequence[str]:
        """This queue, or all of them.

        Raises:
            UnknownQueue: no such queue.
        """
        return list(self._broker.queues) if queue is None else [self.known(queue)]

    def known(self, queue: str) -> str:
        """This queue's name.

        Raises:
            UnknownQueue: no such queue.
        """
        if not is_text(queue) or queue not in self._broker.queues:
            raise UnknownQueue(queue, list(self._broker.queues))
        return queue

    def resolve(self, job_id: str) -> tuple[str, str]:
        """Queue and local id of a job; a bare local id is looked for in all queues.

        Raises:
            JobNotFound: no job can have this id, or several have it.
        """
        queue, local_id = split_id(job_id) if is_text(job_id) else ("", "")
        if not LOCAL_ID.fullmatch(local_id):
            raise JobNotFound(job_id, "An id reads <queue>:<local id>.")
        if queue:
            if queue not in self._broker.queues:
                raise JobNotFound(job_id, f"There is no queue {queue!r}; ids read <queue>:<local id>.")
            return queue, local_id
        found = self._queries.find(local_id)
        if len(found) != 1:
            where = f"It is in several queues ({', '.join(found)}): give the full id, <queue>:<local id>."
            raise JobNotFound(job_id, where) if found else JobNotFound(job_id)
        return found[0], local_id
