"""Jobs by state, queue, name, search and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import QueueError
from ...record import JobRecord, JobState, Page
from ...redact import hide_secrets
from ...search import FINGERPRINT
from ..desk import Desk
from ..filters import AGES, Filters, actions_for
from .export import LIMIT

#: Rows of a page.
PER_PAGE = 50
#: Bytes of a message that a list reads: an excerpt of the payload is shown.
CUT_BYTES = 4096


def context(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    filters, fault, page = Filters.read(args), None, Page([])
    counts = desk.monitor.counts()
    try:
        page = desk.monitor.page(
            filters.query(desk.monitor), limit=PER_PAGE, cursor=args.get("cursor") or None, cut_bytes=CUT_BYTES
        )
    except (ValueError, QueueError) as error:
        fault = str(error)
    return {
        "title": "Jobs",
        "filters": filters,
        "error_label": error_label(filters, page.records),
        "fault": fault,
        "tabs": _tabs(counts, filters),
        "queues": list(counts),
        "names": sorted(desk.broker.actors),
        "ages": list(AGES),
        "records": [hide_secrets(record, desk.config.redact) for record in page.records],
        "next_cursor": page.next_cursor,
        "is_first": not args.get("cursor"),
        "scanned": page.scanned,
        "total": page.total,
        # A search that is not over goes on; one that found a whole page has the next.
        "goes_on": page.next_cursor is not None and len(page.records) < PER_PAGE,
        "export_limit": LIMIT,
        "possible": () if fault else _possible(filters),
    }


def error_label(filters: Filters, records: Sequence[JobRecord]) -> str:
    """What the chosen errors are called: the type that a group failed with tells more than its fingerprint."""
    types = {record.error.type for record in records if record.error is not None}
    return types.pop() if FINGERPRINT.fullmatch(filters.error) and len(types) == 1 else filters.error


def _tabs(counts: Mapping[str, Mapping[str, int]], filters: Filters) -> list[tuple[str, str, int]]:
    """State (empty for all), label and number of jobs of each tab; numbers are those of the chosen queue."""
    chosen = [states for queue, states in counts.items() if filters.queue in ("", queue)]
    totals = {state.value: sum(states[state.value] for states in chosen) for state in JobState}
    tabs = [(state, state.capitalize(), number) for state, number in totals.items()]
    return [("", "All", sum(totals.values())), *tabs]


def _possible(filters: Filters) -> Sequence[str]:
    try:
        return actions_for(filters.state)
    except ValueError:
        return ()
