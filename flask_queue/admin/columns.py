"""The columns of the list of jobs. Subclasses of `QueueView` add their own as they do in Flask-Admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from flask import url_for
from markupsafe import Markup

from ..record import JobRecord, JobState
from . import show

#: Given the view, the template's context, the record and the column's name; returns what the cell shows.
Formatter: TypeAlias = Callable[[Any, Any, JobRecord, str], Any]

COLUMNS = ("name", "state", "queue", "attempts", "when", "wait_ms", "runtime_ms", "detail")
LABELS = {"name": "Job", "wait_ms": "Wait", "runtime_ms": "Run time", "detail": "Error or payload"}
#: Columns of numbers, which stand to the right.
NUMBERS = frozenset({"attempts", "wait_ms", "runtime_ms", "priority", "recoveries", "max_retries"})


def moment_of(record: JobRecord) -> datetime | None:
    """The time by which a job's list is ordered."""
    if record.state is JobState.DELAYED:
        return record.scheduled_at
    return record.finished_at or record.started_at or record.created_at


def payload_text(record: JobRecord) -> str:
    """The payload of a record whose secrets are hidden, on one line."""
    return record.payload_excerpt if record.payload_excerpt is not None else show.json_line(record.payload)


def _name(view: Any, context: Any, record: JobRecord, name: str) -> Markup:
    cell = '<a href="{}">{}</a> <span class="fq-mono fq-dim">{}</span>'
    local_id = show.excerpt(record.id.partition(":")[2], 20)
    shown = Markup(cell).format(url_for(".job", job_id=record.id), show.breakable(record.name), local_id)
    tags = Markup().join(
        Markup(' <a class="fq-tag" href="{}">{}</a>').format(url_for(".jobs", tag=tag), tag) for tag in record.tags
    )
    return shown + tags


def _state(view: Any, context: Any, record: JobRecord, name: str) -> Markup:
    badge = Markup('<span class="fq-state fq-state-{0}">{0}</span>').format(record.state.value)
    if record.progress is not None and record.state is JobState.ACTIVE and record.progress.total:
        badge += Markup(' <span class="fq-dim">{:.0%}</span>').format(record.progress.done / record.progress.total)
    return badge


def _detail(view: Any, context: Any, record: JobRecord, name: str) -> Markup:
    if record.error is not None:
        text = f"{record.error.type}: {record.error.message}"
        return Markup('<span class="fq-detail fq-text-failed">{}</span>').format(show.excerpt(text))
    return Markup('<span class="fq-detail fq-mono">{}</span>').format(show.excerpt(payload_text(record)))


def _attempts(view: Any, context: Any, record: JobRecord, name: str) -> str:
    return f"{record.attempts} of {record.max_retries + 1}" if record.attempts else "0"


FORMATTERS: dict[str, Formatter] = {
    "name": _name,
    "state": _state,
    "queue": lambda view, context, record, name: Markup('<a href="{}">{}</a>').format(
        url_for(".queue", queue_name=record.queue), record.queue
    ),
    "attempts": _attempts,
    "when": lambda view, context, record, name: show.moment(moment_of(record)),
    "wait_ms": lambda view, context, record, name: show.duration(record.wait_ms),
    "runtime_ms": lambda view, context, record, name: show.duration(record.runtime_ms),
    "detail": _detail,
}


def plain(value: Any) -> Any:
    """What a column without a formatter shows."""
    if value is None:
        return show.NOTHING
    if isinstance(value, datetime):
        return show.moment(value)
    if isinstance(value, dict | list):
        return show.excerpt(show.json_line(value))
    return value
