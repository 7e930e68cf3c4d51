"""Jobs as CSV or JSON, for a spreadsheet or a script."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ...query import Query
from ...record import JobRecord
from ...redact import hide_secrets
from ..columns import payload_text
from ..desk import Desk

#: Jobs of an export, at most.
LIMIT = 100_000
#: Jobs read at a time: bounded memory however many there are, also where each has the largest payload.
STEP = 50
COLUMNS = (
    *("id", "name", "queue", "state", "priority", "attempts", "max_retries", "recoveries"),
    *("created_at", "scheduled_at", "started_at", "finished_at", "wait_ms", "runtime_ms", "worker", "tags"),
    *("error_type", "error_message", "payload"),
)
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write(desk: Desk, query: Query, kind: str) -> Iterator[str]:
    """The text of an export, piece by piece: `csv`, or `json` for an array with a job a line."""
    return (_csv if kind == "csv" else _json)(_records(desk, query))


def _records(desk: Desk, query: Query) -> Iterator[JobRecord]:
    left, cursor = LIMIT, None
    while left:
        page = desk.monitor.page(query, limit=min(STEP, left), cursor=cursor)
        yield from (hide_secrets(record, desk.config.redact) for record in page.records)
        left, cursor = left - len(page.records), page.next_cursor
        if cursor is None:
            return


def _csv(records: Iterator[JobRecord]) -> Iterator[str]:
    yield _line(list(COLUMNS))
    for record in records:
        yield _line([_cell(_value(record, column)) for column in COLUMNS])


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _value(record: JobRecord, column: str) -> Any:
    special: dict[str, Callable[[], Any]] = {
        "tags": lambda: " ".join(record.tags),
        "payload": lambda: payload_text(record),
        "error_type": lambda: record.error and record.error.type,
        "error_message": lambda: record.error and record.error.message,
    }
    return special[column]() if column in special else getattr(record, column)


def _cell(value: Any) -> str:
    """The text of a cell, harmless where a spreadsheet would run it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _json(records: Iterator[JobRecord]) -> Iterator[str]:
    separator = "[\n"
    for record in records:
        data = asdict(record)
        data.pop("payload_excerpt", None)
        yield separator + json.dumps(data, ensure_ascii=False, default=_plain)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON data")
