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
        """The job of this id; as `Monitor.get`."""
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
        """Some jobs, and where to go on; as `Monitor.jobs`."""
        jobs = Monitor(current_broker())
        query = jobs.query(
            state=state, queue=queue, name=name, tag=tag, search=search, error=error, since=since, until=until
        )
        return jobs.page(query, limit=limit, cursor=cursor)

    def counts(self) -> dict[str, dict[str, int]]:
        """`{queue: {state: n}}`; as `Monitor.counts`."""
        return Monitor(current_broker()).counts()

    def metrics(self, queue: str | None = None, *, minutes: int = 60, step_minutes: int = 1) -> list[MinuteMetrics]:
        """What happened lately, the oldest minute first; as `Monitor.metrics`."""
        return Monitor(current_broker()).metrics(queue, minutes=minutes, step_minutes=step_minutes)

    def failures(self, queue: str | None = None) -> list[FailureGroup]:
        """What failed jobs failed with, the largest group first; as `Monitor.failures`."""
        return Monitor(current_broker()).failures(queue)

    def logs(self, job_id: str, limit: int = 1000) -> list[str]:
        """The job's log lines, oldest first; as `Monitor.logs`."""
        return Monitor(current_broker()).logs(job_id, limit)

    def paused(self) -> dict[str, str]:
        """`{queue: reason}` of the paused ones; as `Monitor.paused`."""
        return Monitor(current_broker()).paused()

    def oldest_wait_ms(self, queue: str) -> int | None:
        """For how long the next job has been due; as `Monitor.oldest_wait_ms`."""
        return Monitor(current_broker()).oldest_wait_ms(queue)

    def audit(self, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """What operators did, newest first; as `Monitor.audit`."""
        return Monitor(current_broker()).audit(limit, cursor)

    def workers(self) -> list[WorkerInfo]:
        """The living worker processes; as `Monitor.workers`."""
        return Monitor(current_broker()).workers()

    def retry(self, job_id: str) -> JobRecord:
        """Run a failed or cancelled job again; as `Operations.retry`."""
        return Operations(current_broker()).retry(job_id)

    def retry_all(
        self, queue: str | None = None, name: str | None = None, error: str | None = None, tag: str | None = None
    ) -> int:
        """Run all failed jobs again; as `Operations.retry_all`."""
        return Operations(current_broker()).retry_all(queue, name, error, tag)

    def cancel(self, job_id: str) -> JobRecord:
        """Cancel a job, or ask it to stop; as `Operations.cancel`."""
        return Operations(current_broker()).cancel(job_id)

    def promote(self, job_id: str) -> JobRecord:
        """Let a delayed job run now; as `Operations.promote`."""
        return Operations(current_broker()).promote(job_id)

    def reschedule(self, job_id: str, at: datetime) -> JobRecord:
        """Give a delayed job another time; as `Operations.reschedule`."""
        return Operations(current_broker()).reschedule(job_id, at)

    def delete(self, job_id: str) -> None:
        """Delete a job that is not active; as `Operations.delete`."""
        Operations(current_broker()).delete(job_id)

    def duplicate(self, job_id: str, /, **changes: Any) -> JobRecord:
        """Send a job once more, with some arguments changed; as `Operations.duplicate`."""
        return Operations(current_broker()).duplicate(job_id, **changes)

    def clean(self, queue: str, *, state: JobState | str, older_than_s: float = 0, limit: int | None = None) -> int:
        """Delete the jobs in a state; as `Operations.clean`."""
        return Operations(current_broker()).clean(queue, state=state, older_than_s=older_than_s, limit=limit)

    def pause(self, queue: str, reason: str = "") -> None:
        """Let no worker take jobs of the queue; as `Operations.pause`."""
        Operations(current_broker()).pause(queue, reason)

    def resume(self, queue: str) -> None:
        """Let workers take the queue's jobs again; as `Operations.resume`."""
        Operations(current_broker()).resume(queue)

    def quiet(self, worker_id: str) -> None:
        """Let a worker process claim nothing more; as `Operations.quiet`."""
        Operations(current_broker()).quiet(worker_id)

    def stop(self, worker_id: str) -> None:
        """Let a worker process end gracefully; as `Operations.stop`."""
        Operations(current_broker()).stop(worker_id)
