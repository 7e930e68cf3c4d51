"""What a FlaskQueue offers to see and to do, besides dispatching."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .current import current_broker
from .monitor import Monitor
from .operations import Operations
from .record import AuditPage, FailureGroup, JobRecord, JobState, MinuteMetrics, Page, WorkerInfo


class QueueCalls:
    """Calls on jobs and queues, inside an app context: they look at, and change, what the current app has.

    All raise `QueueUnavailable` where Redis does not answer in time, and `QueueError` outside of an app context.
    """

    def get(self, job_id: str) -> JobRecord:
        """The job of this id. Redis: one round trip, two for a bare local id.

        Args:
            job_id: the full id, `<queue>:<local id>`; the local part alone where exactly one queue has it. So it is in
                every call that takes one.

        Raises:
            JobNotFound: there is none.
        """
        return Monitor(current_broker()).get(job_id)

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
        """Up to `limit` jobs, newest first for finished states, next-to-run first for waiting and delayed.

        Waiting and active jobs, and those that are searched for, come queue after queue, others in one order over all.

        Jobs come and go between two pages: one that stays is on one of them, and only one that waits may be on two.
        A page with a condition besides state and queue may have fewer jobs than its limit, even none, and a
        `next_cursor` all the same: it was looked for during 0.7 s, and the next page goes on. `scanned` of `total` jobs
        were looked at by then.

        Args:
            state: only this state.
            queue: only this queue.
            name: only jobs of this name.
            tag: only those with this tag.
            search: only those that match, as in `queue:emails args.user_id:42 "New York"`; see `docs/finding-jobs.md`.
            error: only those with this error: a part of its type or message, or the fingerprint of a group.
            since: only those that finished, or if they did not were created, at this time or later; aware.
            until: or earlier.
            limit: at least 1.
            cursor: the `next_cursor` of the page before; the other arguments are those that it was asked for with.

        Raises:
            UnknownQueue: no such queue.
            ValueError: no such state, or another wrong argument; the message says what to do.
        """
        jobs = Monitor(current_broker())
        query = jobs.query(
            state=state, queue=queue, name=name, tag=tag, search=search, error=error, since=since, until=until
        )
        return jobs.page(query, limit=limit, cursor=cursor)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many jobs each queue has in each state: `{queue: {state: n}}`. Redis: one round trip."""
        return Monitor(current_broker()).counts()

    def metrics(self, queue: str | None = None, *, minutes: int = 60, step_minutes: int = 1) -> list[MinuteMetrics]:
        """What happened lately, the oldest step first; the last step is the current one, and not over yet.

        Every minute is kept for a day, every hour for a week. Redis: one round trip.

        Args:
            queue: only this queue; None for all of them together.
            minutes: how far to look back, at most 1,440 (a day), or 10,080 (a week) in steps of whole hours.
            step_minutes: the length of a step; steps begin at its multiples, in UTC.

        Raises:
            UnknownQueue: no such queue.
            ValueError: a wrong number.
        """
        return Monitor(current_broker()).metrics(queue, minutes=minutes, step_minutes=step_minutes)

    def failures(self, queue: str | None = None) -> list[FailureGroup]:
        """What failed jobs failed with, grouped by type and place of the error: the largest 200 groups, largest first.

        Jobs that were retried, deleted or trimmed are in none. Redis: one round trip, however many jobs there are.

        Args:
            queue: only this queue; None for all of them together.

        Raises:
            UnknownQueue: no such queue.
        """
        return Monitor(current_broker()).failures(queue)

    def logs(self, job_id: str, limit: int = 1000) -> list[str]:
        """The newest lines of a job's log, oldest first. Redis: one round trip, two where there is none.

        Args:
            job_id: of the job.
            limit: so many lines at most; at least 1. No more than 1,000 are kept.

        Raises:
            JobNotFound: there is no such job.
            ValueError: a wrong limit.
        """
        return Monitor(current_broker()).logs(job_id, limit)

    def paused(self) -> dict[str, str]:
        """The queues from which workers take no jobs, and why: `{queue: reason}`. Redis: one round trip."""
        return Monitor(current_broker()).paused()

    def oldest_wait_ms(self, queue: str) -> int | None:
        """For how many ms the queue's next job to run has been due; None where no job is to run now.

        Args:
            queue: its name.

        Raises:
            UnknownQueue: no such queue.
        """
        return Monitor(current_broker()).oldest_wait_ms(queue)

    def audit(self, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """What operators did: up to `limit` entries, newest first. About the newest 10,000 are kept.

        Args:
            limit: at least 1.
            cursor: the `next_cursor` of the page before.

        Raises:
            ValueError: a wrong limit or cursor.
        """
        return Monitor(current_broker()).audit(limit, cursor)

    def workers(self) -> list[WorkerInfo]:
        """The living worker processes, longest-running first. Redis: one round trip."""
        return Monitor(current_broker()).workers()

    def retry(self, job_id: str) -> JobRecord:
        """Put a failed or cancelled job back to waiting, attempts counted anew, history kept.

        Args:
            job_id: of the job.

        Returns: its record after that.

        Raises:
            JobNotFound: there is no such job.
            JobStateError: it is in another state, its payload is gone, or another job has its unique key.
        """
        return Operations(current_broker()).retry(job_id)

    def retry_all(
        self, queue: str | None = None, name: str | None = None, error: str | None = None, tag: str | None = None
    ) -> int:
        """Put all failed jobs back to waiting that failed before this call, the first to fail first; how many were.

        Args:
            queue: only of this queue.
            name: only jobs of this name.
            error: only those whose error is this: a group's fingerprint (see `failures`), a type, or type and message
                as in `ValueError: no such user`.
            tag: only jobs that have this tag; with nothing but a tag the first to be dispatched come first.

        Raises:
            UnknownQueue: no such queue.
            ValueError: name, error or tag is no text.
        """
        return Operations(current_broker()).retry_all(queue, name, error, tag)

    def cancel(self, job_id: str) -> JobRecord:
        """Cancel a waiting or delayed job, or ask an active one to stop; one that is cancelled already stays so.

        Args:
            job_id: of the job.

        Returns: its record after that; one that is asked to stop is `active` until its run ends.

        Raises:
            JobNotFound: there is no such job.
            JobStateError: it has completed or failed.
        """
        return Operations(current_broker()).cancel(job_id)

    def promote(self, job_id: str) -> JobRecord:
        """Let a delayed job run now.

        Args:
            job_id: of the job.

        Returns: its record after that.

        Raises:
            JobNotFound: there is no such job.
            JobStateError: it is in another state, as it is when its time has come meanwhile.
        """
        return Operations(current_broker()).promote(job_id)

    def reschedule(self, job_id: str, at: datetime) -> JobRecord:
        """Give a delayed job another time; one that has passed lets it run now.

        Args:
            job_id: of the job.
            at: when it may run, with a time zone.

        Returns: its record after that.

        Raises:
            ValueError: the time has no zone.
            JobNotFound: there is no such job.
            JobStateError: it is in another state, as it is when its time has come meanwhile.
        """
        return Operations(current_broker()).reschedule(job_id, at)

    def delete(self, job_id: str) -> None:
        """Delete a job and every trace of it; an id that its caller chose stays remembered for an hour from dispatch.

        Args:
            job_id: of the job.

        Raises:
            JobNotFound: there is no such job.
            JobStateError: it is active.
        """
        Operations(current_broker()).delete(job_id)

    def duplicate(self, job_id: str, /, **changes: Any) -> JobRecord:
        """Send a job once more, under a new id, with its queue, priority and options, to run now.

        Args:
            job_id: of the job, in any state.
            changes: arguments of `handle` that differ; none for a plain actor.

        Returns: the record of the new job.

        Raises:
            JobNotFound: there is no such job, or its payload is gone.
            JobNotRegistered: no job of this name is registered with the current app.
            InvalidPayload, PayloadTooLarge, QueueUnavailable: as from `dispatch`.
        """
        return Operations(current_broker()).duplicate(job_id, **changes)

    def clean(self, queue: str, *, state: JobState | str, older_than_s: float = 0, limit: int | None = None) -> int:
        """Delete the jobs in a state, in bounded steps; how many were.

        Args:
            queue: its name.
            state: any but active.
            older_than_s: only those that finished, or if unfinished were created, so many seconds ago.
            limit: so many at most. Finished ones go in the order in which they finished, others in no order.

        Raises:
            UnknownQueue: no such queue.
            ValueError: no such state, or a wrong number.
        """
        return Operations(current_broker()).clean(queue, state=state, older_than_s=older_than_s, limit=limit)

    def pause(self, queue: str, reason: str = "") -> None:
        """Let no worker take jobs of the queue; those that run finish, and delayed ones go on becoming due.

        Args:
            queue: its name.
            reason: for whoever looks at it; replaces that of a pause before.

        Raises:
            UnknownQueue: no such queue.
        """
        Operations(current_broker()).pause(queue, reason)

    def resume(self, queue: str) -> None:
        """Let workers take the queue's jobs again; harmless where it is not paused.

        Args:
            queue: its name.

        Raises:
            UnknownQueue: no such queue.
        """
        Operations(current_broker()).resume(queue)

    def quiet(self, worker_id: str) -> None:
        """Let a worker process claim nothing more, which it does within seconds; what runs goes on.

        Args:
            worker_id: as `workers` tells it.

        Raises:
            QueueError: no such worker is alive.
        """
        Operations(current_broker()).quiet(worker_id)

    def stop(self, worker_id: str) -> None:
        """Let a worker process end gracefully; its supervisor does not replace it.

        Args:
            worker_id: as `workers` tells it.

        Raises:
            QueueError: no such worker is alive.
        """
        Operations(current_broker()).stop(worker_id)
