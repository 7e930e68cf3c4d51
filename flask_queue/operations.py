"""What operators do: each action is logged, and kept in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from dramatiq import Message

from .broker import QueueBroker
from .environment import given, given_number, is_text, seconds, whole
from .errors import JobNotFound, JobStateError, QueueError
from .monitor import Monitor
from .payload import storable
from .record import JobRecord, JobState, state_of
from .resend import send_again
from .signals import job_cancelled
from .store.codec import unpack
from .store.connect import translate_errors
from .store.keys import full_id, new_id, split_id
from .store.queries import SCAN, Queries
from .store.roster import Request
from .store.state import STATES
from .store.transitions import BATCH
from .store.wanted import Wanted
from .trail import Trail

_LETTERS = {state: letter for letter, state in STATES.items()}
#: What a script says of a job that it refuses for another reason than its state.
FLAWS = {
    "p": "failed and has lost its payload",
    "u": "kept back, as another job has its unique key until it is settled",
}


class Operations:
    """The operator's actions on the jobs and queues of one app.

    All are atomic for each job, safe to repeat, and safe while workers run; those on many jobs go in bounded steps.

    Args:
        broker: of the app.
        actor: who acts, as the audit trail is to tell it; None for code.
    """

    def __init__(self, broker: QueueBroker, *, actor: str | None = None) -> None:
        self._broker = broker
        self._trail = Trail(broker, actor)
        self._actions = broker.store.actions
        self._monitor = Monitor(broker)
        self._queries = Queries(broker.store, list(broker.queues), broker.max_retries_of)

    def retry(self, job_id: str) -> JobRecord:
        """Put a failed or cancelled job back to waiting; as `FlaskQueue.retry`."""
        return self._change("retry", job_id, self._actions.retry, JobState.FAILED, JobState.CANCELLED)

    def cancel(self, job_id: str) -> JobRecord:
        """Cancel a job, or ask it to stop; as `FlaskQueue.cancel`."""
        queue, local_id = self._monitor.resolve(job_id)
        (before,) = self._actions.cancel(queue, [local_id])
        if before != "x":
            _check(full_id(queue, local_id), before, JobState.WAITING, JobState.DELAYED, JobState.ACTIVE)
            self._trail.note("cancel", full_id(queue, local_id), was=STATES[before].value)
        record = self._queries.get(queue, local_id)
        if before in "wd" and job_cancelled.receivers:
            self._broker.tell(job_cancelled, record=record)
        return record

    def promote(self, job_id: str) -> JobRecord:
        """Let a delayed job run now; as `FlaskQueue.promote`."""
        return self._change("promote", job_id, self._actions.promote, JobState.DELAYED)

    def reschedule(self, job_id: str, at: datetime) -> JobRecord:
        """Give a delayed job another time; as `FlaskQueue.reschedule`."""
        due_ms = _due_ms(at)

        def change(queue: str, local_ids: Sequence[str]) -> list[str]:
            return [self._actions.reschedule(queue, local_id, due_ms) for local_id in local_ids]

        return self._change("reschedule", job_id, change, JobState.DELAYED, at=at.isoformat())

    def delete(self, job_id: str) -> None:
        """Delete a job and every trace of it; as `FlaskQueue.delete`."""
        queue, local_id = self._monitor.resolve(job_id)
        (before,) = self._actions.delete(queue, [local_id])
        if before != "+":
            _check(full_id(queue, local_id), before, *(state for state in JobState if state is not JobState.ACTIVE))
        self._trail.note("delete", full_id(queue, local_id))

    def duplicate(self, job_id: str, /, **changes: Any) -> JobRecord:
        """Send a job once more; as `FlaskQueue.duplicate`."""
        message, priority = self._message_of(job_id)
        changed = message.copy(kwargs={**message.kwargs, **changes})
        return self._send_again(job_id, changed, priority, is_changed=bool(changes))

    def duplicate_with(self, job_id: str, payload: Mapping[str, Any]) -> JobRecord:
        """As `duplicate`, with this payload in place of the job's: what it does not name is at its default.

        Args:
            job_id: of the job, in any state.
            payload: the arguments of `handle`, by name.

        Raises:
            JobNotFound, JobNotRegistered, InvalidPayload, PayloadTooLarge, QueueUnavailable: as from `duplicate`.
        """
        message, priority = self._message_of(job_id)
        return self._send_again(job_id, message.copy(args=(), kwargs=dict(payload)), priority, is_changed=True)

    def retry_all(
        self, queue: str | None = None, name: str | None = None, error: str | None = None, tag: str | None = None
    ) -> int:
        """Put all failed jobs back to waiting; as `FlaskQueue.retry_all`."""
        if not all(value is None or is_text(value) for value in (name, error, tag)):
            raise ValueError(f"retry_all(name={name!r}, error={error!r}, tag={tag!r}): give texts")
        wanted = Wanted(name, error, tag)
        until_ms = self._queries.now_ms()
        retried = 0
        try:
            for queue_name in self._monitor.queue_names(queue):
                ids = self._failed(queue_name, until_ms, wanted)
                while batch := _take(ids, BATCH):
                    letters = self._actions.retry(queue_name, batch, states="f", until_ms=until_ms)
                    retried += letters.count("f")
        finally:
            if retried:
                self._trail.note("retry_all", queue or "*", count=retried, name=name, error=error, tag=tag)
        return retried

    def clean(self, queue: str, *, state: JobState | str, older_than_s: float = 0, limit: int | None = None) -> int:
        """Delete the jobs in a state; as `FlaskQueue.clean`."""
        name, wanted = self._monitor.known(queue), given("clean", "state", state, state_of)
        if wanted is JobState.ACTIVE:
            raise ValueError("clean(state='active'): active jobs cannot be deleted; cancel them")
        older_than_ms = round(1000 * given_number("clean", "older_than_s", older_than_s, seconds()))
        most = None if limit is None else given_number("clean", "limit", limit, whole(1))
        until_ms = self._queries.now_ms() - older_than_ms
        deleted = 0
        try:
            ids = self._queries.ids(wanted, name, until_ms, most)
            while batch := _take(ids, BATCH if most is None else min(BATCH, most - deleted)):
                letters = self._actions.delete(name, batch, states=_LETTERS[wanted], until_ms=until_ms)
                deleted += letters.count("+")
            while wanted is JobState.WAITING and self._actions.sweep(name):
                pass
        finally:
            if deleted:
                self._trail.note("clean", name, count=deleted, state=wanted.value, older_than_s=older_than_s or None)
        return deleted

    def pause(self, queue: str, reason: str = "") -> None:
        """Let no worker take jobs of the queue; as `FlaskQueue.pause`."""
        name, kept = self._monitor.known(queue), storable(str(reason))
        self._actions.pause(name, kept)
        self._trail.note("pause", name, reason=kept or None)

    def resume(self, queue: str) -> None:
        """Let workers take the queue's jobs again; as `FlaskQueue.resume`."""
        if self._actions.resume(self._monitor.known(queue)):
            self._trail.note("resume", queue)

    def quiet(self, worker_id: str) -> None:
        """Let a worker process claim nothing more; as `FlaskQueue.quiet`."""
        self._ask("quiet", worker_id)

    def stop(self, worker_id: str) -> None:
        """Let a worker process end gracefully; as `FlaskQueue.stop`."""
        self._ask("stop", worker_id)

    def restart(self) -> list[str]:
        """Let every living worker finish and be replaced, by its supervisor or by itself; the ids of those asked."""
        return self._ask("restart")

    def _ask(self, request: Request, worker_id: str | None = None) -> list[str]:
        store = self._broker.store
        if worker_id is not None and not (is_text(worker_id) and worker_id.isprintable()):
            raise _no_worker(worker_id)
        with translate_errors(store.client):
            asked = store.roster.ask(store.client, request, worker_id, lease_ms=self._broker.config.lease_ms)
        if worker_id is not None and not asked:
            raise _no_worker(worker_id)
        self._trail.note(request, worker_id or "*", count=None if worker_id else len(asked))
        return asked

    def _change(
        self,
        action: str,
        job_id: str,
        change: Callable[[str, Sequence[str]], list[str]],
        *expected: JobState,
        **details: Any,
    ) -> JobRecord:
        """Change one job; its record after that."""
        queue, local_id = self._monitor.resolve(job_id)
        (before,) = change(queue, [local_id])
        _check(full_id(queue, local_id), before, *expected)
        self._trail.note(action, full_id(queue, local_id), **details)
        return self._queries.get(queue, local_id)

    def _message_of(self, job_id: str) -> tuple[Message[Any], int]:
        """What a job was sent with, under a new id, and its priority."""
        queue, local_id = self._monitor.resolve(job_id)
        job = self._queries.raw(queue, local_id)
        if not job.message:
            raise JobNotFound(full_id(queue, local_id), "Its record is there, but its payload is gone.")
        return unpack(queue, new_id(), job.state.created_ms, job.message), job.state.priority

    def _send_again(self, job_id: str, message: Message[Any], priority: int, *, is_changed: bool) -> JobRecord:
        record = send_again(self._broker, message, priority, is_changed=is_changed)
        self._trail.note("duplicate", full_id(message.queue_name, split_id(job_id)[1]), new=record.id)
        return record

    def _failed(self, queue: str, until_ms: int, wanted: Wanted) -> Iterator[str]:
        """Ids of the failed jobs that are meant, and of some that have not failed."""
        store = self._broker.store
        found, is_exact = wanted.candidates(store.client, store.transitions.keys(queue), until_ms)
        if is_exact:
            yield from found
            return
        ids = iter(found)
        while batch := _take(ids, SCAN):
            yield from (local_id for local_id, record in self._queries.records(queue, batch) if wanted.matches(record))


def _check(job_id: str, before: str, *expected: JobState) -> None:
    """Raise unless a script found the job in one of the expected states."""
    if before == "":
        raise JobNotFound(job_id)
    if STATES.get(before) not in expected:
        raise JobStateError(job_id, expected, FLAWS.get(before) or STATES[before])


def _no_worker(worker_id: object) -> QueueError:
    return QueueError(f"No worker {worker_id!r} is alive: `flask queue workers` lists those that are.")


def _due_ms(at: object) -> int:
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise ValueError(f"reschedule(at={at!r}): give a datetime with a time zone, as in datetime.now(UTC)")
    # What was before 1970 is due as well.
    return max(1, round(at.timestamp() * 1000))


def _take(ids: Iterator[str], count: int) -> list[str]:
    """The next ids, each once."""
    return list(dict.fromkeys(islice(ids, count)))
