"""The read model and the operator's actions, for the extension, the command line and pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .broker import QueueBroker
from .errors import JobNotFound, JobStateError, UnknownQueue
from .record import JobRecord, JobState, Page
from .store.keys import LOCAL_ID, full_id, split_id
from .store.queries import LISTED, Queries
from .store.state import STATES
from .store.transitions import BATCH

#: Why a failed or cancelled job could not be retried.
_REFUSED = {
    "p": "failed and has lost its payload",
    "u": "kept back, as another job has its unique key until it is settled",
}


class Monitor:
    """Looks at and steers the jobs of one app."""

    def __init__(self, broker: QueueBroker) -> None:
        self._broker = broker
        self._queries = Queries(broker.store, list(broker.queues), broker.max_retries_of)

    def get(self, job_id: str) -> JobRecord:
        """The job of this id. Redis: one round trip, two for a bare local id.

        Raises:
            JobNotFound: there is none.
        """
        return self._queries.get(*self._resolve(job_id))

    def jobs(
        self,
        *,
        state: JobState | str | None = None,
        queue: str | None = None,
        name: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Up to `limit` jobs, newest first for finished states, next-to-run first for waiting and delayed.

        Args:
            state: only this state.
            queue: only this queue.
            name: only jobs of this name.
            limit: at least 1.
            cursor: the `next_cursor` of the page before.

        Raises:
            UnknownQueue: no such queue.
            ValueError: no such state, a wrong limit or cursor.
        """
        if limit < 1:
            raise ValueError("limit must be at least 1")
        states = LISTED if state is None else (JobState(state),)
        return self._queries.page(states=states, queues=self._queues(queue), name=name, limit=limit, cursor=cursor)

    def counts(self) -> dict[str, dict[str, int]]:
        """`{queue: {state: n}}`. Redis: one round trip."""
        return self._queries.counts()

    def logs(self, job_id: str, limit: int = 1000) -> list[str]:
        """The newest `limit` lines of a job's log, oldest first.

        Raises:
            JobNotFound: there is no such job.
        """
        queue, local_id = self._resolve(job_id)
        self._queries.get(queue, local_id)
        return self._queries.logs(queue, local_id, limit)

    def retry(self, job_id: str) -> JobRecord:
        """Put a failed or cancelled job back to waiting, attempts counted anew, history kept.

        Raises:
            JobNotFound: there is no such job.
            JobStateError: it is in another state, its payload is gone, or another job has its unique key.
        """
        queue, local_id = self._resolve(job_id)
        (before,) = self._broker.store.retry(queue, [local_id])
        if before == "":
            raise JobNotFound(full_id(queue, local_id))
        if before not in ("f", "x"):
            actual = _REFUSED.get(before) or STATES[before]
            raise JobStateError(full_id(queue, local_id), (JobState.FAILED, JobState.CANCELLED), actual)
        return self._queries.get(queue, local_id)

    def retry_all(self, queue: str | None = None, name: str | None = None) -> int:
        """Put all failed jobs back to waiting that failed before this call; how many were.

        Redis: bounded steps of 256 jobs, safe while workers run.
        """
        retried = 0
        for queue_name in self._queues(queue):
            for local_ids in self._failed(queue_name, name):
                retried += sum(letter == "f" for letter in self._broker.store.retry(queue_name, local_ids))
        return retried

    def _failed(self, queue: str, name: str | None) -> Iterator[Sequence[str]]:
        """Ids of the failed jobs, all read before the first is retried: one that fails again is not taken twice."""
        cursor: str | None = None
        found: list[str] = []
        while True:
            page = self._queries.page(states=(JobState.FAILED,), queues=(queue,), name=name, limit=BATCH, cursor=cursor)
            found += [split_id(record.id)[1] for record in page.records]
            cursor = page.next_cursor
            if cursor is None:
                break
        for start in range(0, len(found), BATCH):
            yield found[start : start + BATCH]

    def _queues(self, queue: str | None) -> Sequence[str]:
        if queue is None:
            return list(self._broker.queues)
        if queue not in self._broker.queues:
            raise UnknownQueue(queue, list(self._broker.queues))
        return [queue]

    def _resolve(self, job_id: str) -> tuple[str, str]:
        """Queue and local id; a bare local id is looked for in all queues."""
        queue, local_id = split_id(job_id)
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
