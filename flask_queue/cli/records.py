"""Job records as JSON, as rows of a table, and as a page of text. Payloads and results are redacted in all."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ..record import Attempt, JobRecord
from ..times import absolute, duration, relative
from .text import is_safe, one_line, printable, stdout_encoding, table

#: What JSON leaves as it is, and a terminal may obey.
_NOT_ASCII = re.compile("[^\n -~]")
#: Characters of a table's last column.
DETAIL = 70
#: Longer JSON is shown over several lines.
SHORT_JSON = 100


def as_data(record: JobRecord) -> dict[str, Any]:
    """The record as JSON data, field by field."""
    data = dataclasses.asdict(record)
    data["progress"] = record.progress and record.progress._asdict()
    del data["payload_excerpt"]  # commands read whole payloads
    return data


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON text with datetimes in ISO 8601, safe to show."""
    is_unicode = stdout_encoding().lower().startswith("utf")
    text = json.dumps(value, indent=indent, ensure_ascii=not is_unicode, default=_plain)
    return _NOT_ASCII.sub(lambda match: match[0] if is_safe(match[0]) else json.dumps(match[0])[1:-1], text)


def listing(records: Iterable[JobRecord]) -> str:
    """A table, one row a job."""
    header = ("ID", "NAME", "STATE", "ATTEMPTS", "WHEN", "DETAILS")
    return table(header, [_row(record) for record in records])


def page(record: JobRecord) -> str:
    """Everything about one job, except what is at its default."""
    lines = [f"{one_line(record.name)}  {one_line(record.id)}"]
    for label, value in _facts(record):
        first, *more = printable(value).split("\n")
        lines += [f"  {label:<10}  {first}", *(f"{'':14}{line}" for line in more)]
    if record.history:
        lines += ["", "Runs", _indented(_runs(record.history))]
    if record.error:
        error = record.error
        lines += ["", "Error", _indented(printable(error.traceback.rstrip() or f"{error.type}: {error.message}"))]
    return "\n".join(lines)


def _row(record: JobRecord) -> tuple[str | int, ...]:
    moment = record.finished_at or record.started_at or record.created_at
    if record.state == "delayed":
        moment = record.scheduled_at
    error = record.error
    details = f"{error.type}: {error.message}" if error else to_json(record.payload, indent=None)
    return (
        one_line(record.id),
        one_line(record.name),
        record.state.value,
        record.attempts,
        relative(moment) if moment else "",
        one_line(details, DETAIL),
    )


def _facts(record: JobRecord) -> list[tuple[str, str]]:
    progress = record.progress
    facts = {
        "state": record.state.value,
        "tags": ", ".join(record.tags) or None,
        "payload": _short(record.payload),
        "attempts": f"{record.attempts} (retries: {record.max_retries} at most)",
        "recoveries": f"{record.recoveries} (its worker died under it)" if record.recoveries else None,
        "priority": str(record.priority) if record.priority else None,
        "progress": f"{progress.done:g} of {progress.total:g}" if progress else None,
        "created": _when(record.created_at),
        "scheduled": _when(record.scheduled_at),
        "started": _when(record.started_at),
        "finished": _when(record.finished_at),
        "waited": None if record.wait_ms is None else duration(record.wait_ms),
        "ran for": None if record.runtime_ms is None else duration(record.runtime_ms),
        "worker": record.worker,
        "result": _result(record),
    }
    return [(label, fact) for label, fact in facts.items() if fact is not None]


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else absolute(moment)


def _result(record: JobRecord) -> str | None:
    if record.result is None:
        return None
    return f"{record.result} … (cut)" if record.result_cut else _short(record.result)


def _short(value: Any) -> str:
    text = to_json(value, indent=None)
    return text if len(text) <= SHORT_JSON else to_json(value)


def _runs(history: Sequence[Attempt]) -> str:
    rows = [
        (
            attempt.number,
            attempt.outcome.value,
            absolute(attempt.started_at),
            duration(round((attempt.finished_at - attempt.started_at).total_seconds() * 1000)),
            one_line(attempt.worker),
            one_line(f"{attempt.error.type}: {attempt.error.message}", DETAIL) if attempt.error else "",
        )
        for attempt in history
    ]
    return table(("RUN", "OUTCOME", "STARTED", "TOOK", "WORKER", "ERROR"), rows)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON data")
