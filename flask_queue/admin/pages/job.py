"""One job, and what can be done to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from flask import current_app

from ...bulk import FROM
from ...errors import QueueError
from ...record import Attempt, JobRecord, JobState
from ...redact import hide_secrets, redact, redact_cut
from ..desk import Desk
from ..timeline import COLOURS, shown_runs, timeline
from ..traces import Kind, Part, take_apart
from ..tree import Tree, grow
from .diagnosis import diagnose

#: Lines of a job's log, and characters of them, that the page shows.
MOST_LINES, MOST_LOG = 1000, 256 << 10
#: Characters of a result that was cut, and so is no JSON, that the page shows.
MOST_RESULT = 64 << 10
#: Characters from which JSON is large.
LARGE_JSON = 256 << 10
#: A zone's distance from UTC.
_OFFSET = re.compile(r"(?:UTC|Z)?(?:(?P<sign>[+-])(?P<hours>\d\d?):?(?P<minutes>\d\d)?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shown:
    """A JSON value: what the page shows of it, and the whole for copying where it is small."""

    tree: Tree
    #: JSON, None where it is large.
    text: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run, and its traceback if a newer run has not the same."""

    attempt: Attempt
    colour: str
    parts: Sequence[Part]
    #: Whether the app's own code is in the traceback: if not, nothing is folded.
    has_own: bool
    #: The newer run whose traceback this one has too.
    same_as: int | None


def context(desk: Desk, job_id: str) -> dict[str, Any]:
    """What the template wants. Redis: up to five commands, more for an id without its queue.

    Raises:
        JobNotFound: there is no such job.
    """
    record = desk.monitor.get(job_id)
    workers = desk.monitor.workers()
    lines = desk.monitor.logs(record.id, MOST_LINES)
    return {
        "title": record.name or "A job without a payload",
        "job": record,
        "can": [action for action, states in FROM.items() if record.state in states],
        "advices": diagnose(desk, record, workers),
        "is_worker_alive": any(worker.id == record.worker for worker in workers),
        "unique_for_s": getattr(_job_class(desk, record), "unique_for_s", None),
        "timeline": timeline(record),
        "runs": _runs(record, _own_packages(desk, record)),
        "runs_left_out": len(record.history) - len(shown_runs(record)),
        "payload": _shown(record.payload, desk.config.redact),
        "result": None if record.result_cut or record.result is None else _shown(record.result, desk.config.redact),
        "cut_result": redact_cut(record.result, desk.config.redact)[:MOST_RESULT] if record.result_cut else None,
        "log": _newest(lines),
        "log_count": len(lines),
    }


def change(desk: Desk, job_id: str, verb: str) -> str:
    """Do it; what to tell the visitor.

    Raises:
        JobNotFound: there is no such job.
        JobStateError: it is in another state.
    """
    match verb:
        case "retry":
            return f"{desk.operations.retry(job_id).id} goes back to its queue, with its attempts counted anew."
        case "promote":
            return f"{desk.operations.promote(job_id).id} runs as soon as a thread is free."
        case "cancel":
            record = desk.operations.cancel(job_id)
            is_running = record.state is JobState.ACTIVE
            return f"{record.id} {'is asked to stop' if is_running else 'is cancelled'}."
        case "delete":
            desk.operations.delete(job_id)
            return f"{job_id} is deleted."
        case _:
            raise ValueError(verb)


def reschedule(desk: Desk, job_id: str, form: Mapping[str, str]) -> str:
    """Give a delayed job the time that was typed; what to tell the visitor.

    Raises:
        JobNotFound: there is no such job.
        JobStateError: it is not delayed any more.
        QueueError: what was typed is no time.
    """
    at = _typed_time(form.get("at", "").strip(), form.get("offset", "").strip())
    record = desk.operations.reschedule(job_id, at)
    if at <= datetime.now(UTC):
        return f"{record.id} runs as soon as a thread is free: that time has passed."
    return f"{record.id} is due on {at:%Y-%m-%d} at {at:%H:%M:%S} UTC."


def download(desk: Desk, job_id: str, part: str) -> tuple[str, str, str]:
    """The whole of what the page may have cut: text, type, and the name of the file.

    Raises:
        JobNotFound: there is no such job.
    """
    record = hide_secrets(desk.monitor.get(job_id), desk.config.redact)
    name = f"{record.id.replace(':', '-')}-{part}"
    if part == "log.txt":
        return "".join(f"{line}\n" for line in desk.monitor.logs(record.id)), "text/plain", name
    if part == "result.json" and record.result_cut:
        return record.result, "text/plain", f"{name}.txt"
    value = record.payload if part == "payload.json" else record.result
    return to_json(value), "application/json", name


def to_json(value: Any) -> str:
    """JSON as people read it; on one line where it is large, which takes a tenth of the time."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) > LARGE_JSON else json.dumps(value, ensure_ascii=False, indent=2)


def _shown(value: Any, secret_words: Sequence[str]) -> Shown:
    tree = grow(value, secret_words)
    return Shown(tree, None if tree.is_cut else to_json(redact(value, secret_words)))


def _runs(record: JobRecord, own_packages: set[str]) -> list[Run]:
    """The newest first."""
    runs: list[Run] = []
    told: dict[str, int] = {}
    for attempt in reversed(shown_runs(record)):
        trace = attempt.error.traceback.rstrip("\n") if attempt.error else ""
        same_as = told.get(trace)
        parts = take_apart(trace, own_packages) if trace and same_as is None else []
        has_own = any(part.kind is Kind.OWN for part in parts)
        runs.append(Run(attempt, COLOURS[attempt.outcome], parts, has_own, same_as))
        if trace:
            told.setdefault(trace, attempt.number)
    return runs


def _newest(lines: Sequence[str]) -> list[str]:
    """As many of the newest lines as a page bears, oldest first; a line that is too long itself is cut."""
    room, kept = MOST_LOG, list[str]()
    for line in reversed(lines):
        if room <= 0:
            break
        kept.append(line if len(line) <= room else f"{line[:room]}…")
        room -= len(line) + 1
    return kept[::-1]


def _typed_time(text: str, offset: str) -> datetime:
    """In UTC; what was typed is meant in the zone with that offset, or in UTC."""
    try:
        typed = datetime.fromisoformat(text)
        zone = _OFFSET.fullmatch(offset)
        if zone is None and typed.tzinfo is None:
            raise QueueError(f"{offset!r} is no distance from UTC: give one as +02:00, or leave it empty for UTC.")
        if typed.tzinfo is None and zone is not None:
            minutes = 60 * int(zone["hours"] or 0) + int(zone["minutes"] or 0)
            typed = typed.replace(tzinfo=timezone((-1 if zone["sign"] == "-" else 1) * timedelta(minutes=minutes)))
        return typed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise QueueError(f"{text!r} with {offset or 'UTC'!r} is no time: give one as 2031-12-24T18:30.") from None


def _job_class(desk: Desk, record: JobRecord) -> type | None:
    found: type | None = getattr(desk.broker.actors.get(record.name), "job_class", None)
    return found


def _own_packages(desk: Desk, record: JobRecord) -> set[str]:
    """Where the app's code is: its own package, and that of the job."""
    actor = desk.broker.actors.get(record.name)
    code: Any = getattr(actor, "job_class", None) or getattr(actor, "fn", None)
    modules = [current_app.import_name, getattr(code, "__module__", None) or ""]
    return {module.partition(".")[0] for module in modules} - {"", "flask_queue", "dramatiq"}
