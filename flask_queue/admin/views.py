"""The dashboard's routes. What each page shows, and what its forms do, is in `pages/`."""

from __future__ import annotations

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin.base import expose

from ..metrics import CONTENT_TYPE, exposition
from .pages import about, audit, duplicate, failures, job, jobs, overview, queues, workers
from .shell import Shell


class QueueView(Shell):
    """Every page of the dashboard. Subclass it to change something, and add it to your Admin before the extension.

    An Admin that has such a view gets no other one.
    """

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Numbers, charts, queues, warnings."""
        return self.page("overview", **overview.context(self.desk, request.args))

    @expose("/jobs/")
    def jobs(self) -> ResponseReturnValue:
        """Jobs by state, queue, name, search and time."""
        return self.page("jobs", **jobs.context(self.desk, request.args))

    @expose("/jobs/<job_id>/")
    def job(self, job_id: str) -> ResponseReturnValue:
        """One job."""
        return self.page("job", section="jobs", **job.context(self.desk, job_id))

    @expose("/jobs/<job_id>/<any(retry, cancel, promote, delete):verb>", methods=["POST"])
    def job_change(self, job_id: str, verb: str) -> ResponseReturnValue:
        """Does one thing to one job; one that is gone has no page to go back to."""
        return self.back(job.change(self.desk, job_id, verb), to=url_for(".jobs") if verb == "delete" else None)

    @expose("/jobs/<job_id>/reschedule", methods=["POST"])
    def job_reschedule(self, job_id: str) -> ResponseReturnValue:
        """Gives a delayed job another time."""
        return self.back(job.reschedule(self.desk, job_id, request.form))

    @expose("/jobs/<job_id>/duplicate/")
    def duplicate(self, job_id: str) -> ResponseReturnValue:
        """A form for sending a job once more."""
        return self.page("duplicate", section="jobs", **duplicate.context(self.desk, job_id))

    @expose("/jobs/<job_id>/duplicate/", methods=["POST"])
    def duplicate_send(self, job_id: str) -> ResponseReturnValue:
        """Sends it, or shows what is wrong with what was typed."""
        try:
            record = duplicate.send(self.desk, job_id, request.form.get("payload"))
        except duplicate.Refused as refused:
            context = duplicate.context(self.desk, job_id, refused)
            return self.page("duplicate", section="jobs", status=422, **context)
        told = duplicate.told(record)
        return self.back(told, to=url_for(".job", job_id=record.id), is_error=record.deduplicated)

    @expose('/jobs/<job_id>/<any("payload.json", "result.json", "log.txt"):part>')
    def job_download(self, job_id: str, part: str) -> ResponseReturnValue:
        """The whole of what the page of a job may have cut."""
        return self.file(*job.download(self.desk, job_id, part))

    @expose("/failures/")
    def failures(self) -> ResponseReturnValue:
        """Failed jobs by what they failed with."""
        return self.page("failures", **failures.context(self.desk, request.args))

    @expose("/queue/")
    def queues(self) -> ResponseReturnValue:
        """All queues."""
        return self.page("queues", **queues.all_queues(self.desk, request.args))

    @expose("/queue/<queue_name>/")
    def queue(self, queue_name: str) -> ResponseReturnValue:
        """One queue."""
        return self.page("queue", section="queues", **queues.one_queue(self.desk, queue_name, request.args))

    @expose("/queue/<queue_name>/<any(pause, resume):verb>", methods=["POST"])
    def queue_change(self, queue_name: str, verb: str) -> ResponseReturnValue:
        """Does one thing to one queue."""
        return self.back(queues.change(self.desk, queue_name, verb, request.form))

    @expose("/queue/<queue_name>/clean", methods=["POST"])
    def queue_clean(self, queue_name: str) -> ResponseReturnValue:
        """Deletes some jobs of a queue; while there are more, it leads back to the question."""
        message, is_done = queues.clean(self.desk, queue_name, request.form)
        return self.back(message, to=url_for(".queue", queue_name=queue_name) if is_done else None)

    @expose("/workers/")
    def workers(self) -> ResponseReturnValue:
        """The living worker processes."""
        return self.page("workers", **workers.context(self.desk, request.args))

    @expose("/workers/<any(quiet, stop, restart):verb>", methods=["POST"])
    def worker_change(self, verb: str) -> ResponseReturnValue:
        """Asks one worker process for something, or all of them to restart."""
        return self.back(workers.change(self.desk, verb, request.form.get("worker", "")))

    @expose("/audit/")
    def audit(self) -> ResponseReturnValue:
        """What operators did."""
        return self.page("audit", **audit.context(self.desk, request.args))

    @expose("/about/")
    def about(self) -> ResponseReturnValue:
        """Versions, Redis, settings, and what the visitor may do."""
        return self.page("about", **about.context(self.desk, self._verdict))

    @expose("/metrics")
    def metrics(self) -> ResponseReturnValue:
        """Counts, waits, threads and the last minute, for Prometheus."""
        return Response(exposition(self.desk.monitor), content_type=CONTENT_TYPE)
