"""The dashboard's routes. What each page shows, and what its forms do, is in `pages/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from flask import Response, redirect, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_admin.actions import ActionsMixin, action
from flask_admin.base import expose

from ..metrics import CONTENT_TYPE, exposition
from ..record import JobRecord
from . import columns
from .columns import Formatter
from .filters import Filters
from .pages import about, audit, bulk, duplicate, export, failures, job, jobs, overview, queues, workers
from .shell import Shell


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the list of jobs."""

    view: QueueView
    name: str
    label: str
    is_number: bool
    formatter: Formatter | None

    def cell(self, record: JobRecord) -> Any:
        """What it shows of a job."""
        if self.formatter is not None:
            return self.formatter(self.view, None, record, self.name)
        return columns.plain(getattr(record, self.name, None))


class QueueView(Shell, ActionsMixin):
    """Every page of the dashboard. Subclass it to change something, and add it to your Admin before the extension.

    An Admin that has such a view gets no other one. Columns and actions of the list of jobs are those of Flask-Admin's
    own views: `column_list`, `column_labels`, `column_formatters`, methods with `@action`, `is_action_allowed`.
    """

    #: Attributes of `JobRecord`, or names that `column_formatters` has.
    column_list: ClassVar[Sequence[str]] = columns.COLUMNS
    #: Column → what stands above it.
    column_labels: ClassVar[Mapping[str, str]] = {}
    #: Column → function of view, context, record and the column's name; what it returns is escaped unless it is Markup.
    column_formatters: ClassVar[Mapping[str, Formatter]] = {}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.init_actions()

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Numbers, charts, queues, warnings."""
        return self.page("overview", **overview.context(self.desk, request.args))

    @expose("/jobs/")
    def jobs(self) -> ResponseReturnValue:
        """Jobs by state, queue, name, search and time."""
        context = jobs.context(self.desk, request.args)
        offered = list(self._offered(context["possible"]))
        return self.page("jobs", columns=list(self._columns()), actions=offered, **context)

    @expose("/jobs/action/", methods=["POST"])
    def act(self) -> ResponseReturnValue:
        """Does something to the jobs that were selected."""
        name = request.form.get("action", "")
        if name not in self._actions_data or not self.is_action_allowed(name):
            return self.back(f"There is no action {name!r}.", is_error=True)
        ids = list(dict.fromkeys(request.form.getlist("rowid")))[: bulk.MOST]
        if not ids:
            return self.back("Select some jobs first.", is_error=True)
        answer = self._actions_data[name][0](ids)
        return answer if answer is not None else redirect(self._origin(), 303)

    @action("retry", "Retry")
    def action_retry(self, ids: list[str]) -> ResponseReturnValue:
        """Runs failed or cancelled jobs again."""
        return self.back(bulk.apply(self.desk, "retry", ids))

    @action("promote", "Run now")
    def action_promote(self, ids: list[str]) -> ResponseReturnValue:
        """Runs delayed jobs now."""
        return self.back(bulk.apply(self.desk, "promote", ids))

    @action("cancel", "Cancel")
    def action_cancel(self, ids: list[str]) -> ResponseReturnValue:
        """Cancels jobs, or asks those that run to stop."""
        return self.back(bulk.apply(self.desk, "cancel", ids))

    @action("delete", "Delete", "Delete the selected jobs? They cannot be brought back.")
    def action_delete(self, ids: list[str]) -> ResponseReturnValue:
        """Deletes jobs that are not active."""
        return self.back(bulk.apply(self.desk, "delete", ids))

    @expose("/jobs/bulk/", methods=["GET", "POST"])
    def bulk(self) -> ResponseReturnValue:
        """Does something to all jobs that match, step by step; asks first."""
        if request.method == "GET":
            return self.page("bulk", section="jobs", **bulk.question(self.desk, request.args))
        context = bulk.step(self.desk, request.form)
        if not bulk.is_over(context):
            return self.page("bulk", section="jobs", **context)
        return self.back(bulk.told(context), to=self.get_url(".jobs", **context["filters"].given()))

    @expose("/jobs/export.<any(csv, json):kind>")
    def export(self, kind: str) -> ResponseReturnValue:
        """The jobs that match, as a file."""
        desk = self.desk
        text = export.write(desk, Filters.read(request.args).query(desk.monitor), kind)
        answer = Response(stream_with_context(text), mimetype="text/csv" if kind == "csv" else "application/json")
        answer.headers["Content-Disposition"] = f"attachment; filename=jobs.{kind}"
        return answer

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

    def _columns(self) -> Iterator[Column]:
        for name in self.column_list:
            label = self.column_labels.get(name) or columns.LABELS.get(name) or name.replace("_", " ").capitalize()
            formatter = self.column_formatters.get(name) or columns.FORMATTERS.get(name)
            yield Column(self, name, label, name in columns.NUMBERS, formatter)

    def _offered(self, possible: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        """Name, label and question of each action that can be done to jobs like those that are shown."""
        offered, questions = self.get_actions_list()
        ours = list(bulk.WORDS)
        for name, label in sorted(offered, key=lambda each: ours.index(each[0]) if each[0] in ours else len(ours)):
            if name in possible or name not in bulk.WORDS:
                yield name, str(label), questions.get(name, "")
