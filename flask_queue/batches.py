"""Jobs to be stored, and the batches in which they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from dramatiq import Message

from .store.keys import new_id
from .store.transitions import BATCH, Batch, NewEntry

#: Messages of one call together, unless one alone is larger: the server does nothing else while it takes them in.
BATCH_BYTES = 4 << 20


class NewJob(NamedTuple):
    """A job to store: `delay_ms` from now, or `due_ms` (Unix time, wins), or at once; higher priorities run first."""

    message: Message[Any]
    delay_ms: int = 0
    due_ms: int = 0
    priority: int = 0
    #: The caller chose the id: it is remembered for an hour, and a repeat of this very call is told from a duplicate.
    explicit_id: bool = False
    #: For how long it is unique, and by which key, as `NewEntry.lock`; empty if it is not.
    lock: str = ""
    #: Printable, and each once.
    tags: tuple[str, ...] = ()
    #: The JSON text of the message's keyword arguments, once it is known to be no larger than it may.
    kwargs_json: str | None = None
    #: Somebody holds the message, and a worker must read the same one: with its own time, not that of storing it.
    keeps_timestamp: bool = False


class Batches:
    """Jobs as they are sent: cut where the queue changes, after every 256, and before a call gets too large.

    A batch is made when it is asked for, and remembered until it is told of: whatever there are more of at a time,
    garbage collection looks at again and again.

    Args:
        jobs: in order.
        pack: makes a job's message what is stored of it.
    """

    def __init__(self, jobs: Iterable[NewJob], pack: Callable[[NewJob], bytes]) -> None:
        self._jobs = iter(jobs)
        self._pack = pack
        self._next: tuple[NewJob, bytes] | None = None
        self._asked: deque[Sequence[NewJob]] = deque()
        self._is_over = False

    def __iter__(self) -> Iterator[Batch]:
        """Their queues and entries."""
        while not self._is_over and (batch := self._take()):
            jobs = [job for job, _ in batch]
            self._asked.append(jobs)
            yield jobs[0].message.queue_name, [_entry(job, message) for job, message in batch]

    def told(self) -> Sequence[NewJob]:
        """The jobs of the first batch that was not told of; now it is."""
        return self._asked.popleft()

    def stop(self) -> None:
        """Make no more."""
        self._is_over = True

    @property
    def rest(self) -> list[NewJob]:
        """The jobs that were not told of, and those that have not been sent."""
        unsent = [] if self._next is None else [self._next[0]]
        return [*(job for batch in self._asked for job in batch), *unsent, *self._jobs]

    def _take(self) -> list[tuple[NewJob, bytes]]:
        batch = [] if self._next is None else [self._next]
        self._next = None
        size = sum(len(message) for _, message in batch)
        for job in self._jobs:
            message = self._pack(job)
            size += len(message)
            if batch and (
                len(batch) == BATCH or size > BATCH_BYTES or job.message.queue_name != batch[0][0].message.queue_name
            ):
                self._next = (job, message)
                break
            batch.append((job, message))
        return batch


def _entry(job: NewJob, message: bytes) -> NewEntry:
    due = str(job.due_ms) if job.due_ms else f"+{job.delay_ms}" if job.delay_ms else ""
    nonce = new_id() if job.explicit_id else "-"
    return NewEntry(job.message.message_id, message, due, job.priority, nonce, job.lock, job.tags)
