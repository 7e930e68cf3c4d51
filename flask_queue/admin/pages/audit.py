"""What operators did, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ...record import AuditEntry, AuditPage
from .. import show
from ..desk import Desk

#: Entries of a page.
PER_PAGE = 50
#: Characters of a detail, which may be an error's message.
LONGEST = 300
#: Details whose names in the trail need other words here.
LABELS = {"new": "copy", "older_than_s": "older than", "at": "for", "count": "number"}
#: What is done to worker processes.
TO_WORKERS = frozenset({"quiet", "stop", "restart"})


def context(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    cursor, fault = args.get("cursor") or None, ""
    try:
        page = desk.monitor.audit(limit=PER_PAGE, cursor=cursor)
    except ValueError:
        page, fault = AuditPage([]), "This is no page of the trail: go back to the first one."
    return {
        "title": "Audit",
        "entries": [(entry, _kind(desk, entry), list(_details(entry))) for entry in page.entries],
        "next_cursor": page.next_cursor,
        "is_first": cursor is None,
        "fault": fault,
    }


def _kind(desk: Desk, entry: AuditEntry) -> str:
    """What the target is, as far as there is something to look at: `job`, `queue`, `workers`; else nothing."""
    if entry.action in TO_WORKERS:
        return "workers"
    queue, is_id, _ = entry.target.partition(":")
    if queue not in desk.config.queues or entry.action == "delete":
        return ""
    return "job" if is_id else "queue"


def _details(entry: AuditEntry) -> Iterator[tuple[str, Any]]:
    """Label and value of all there is to say besides."""
    for name, value in entry.details.items():
        yield LABELS.get(name, name.replace("_", " ")), _told(name, value)


def _told(name: str, value: object) -> Any:
    match name, value:
        case "older_than_s", int() | float():
            return show.duration(1000 * value)
        case "at", str():
            return _moment(value)
        case _, bool() | list() | dict():
            return show.excerpt(show.json_line(value), LONGEST)
        case _, int() | float():
            return show.number(value)
        case _:
            return show.excerpt(str(value), LONGEST)


def _moment(text: str) -> Any:
    try:
        return show.moment(datetime.fromisoformat(text))
    except ValueError:
        return show.excerpt(text, LONGEST)
