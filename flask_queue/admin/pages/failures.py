"""Failed jobs by what they failed with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ...store.failures import MOST
from ..desk import Desk
from ..paging import sliced

#: Groups of a page.
PER_PAGE = 50
#: A group whose first job failed since then is marked: it may have come with the last release.
NEW = timedelta(hours=1)


def context(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants.

    Raises:
        UnknownQueue: it is asked for the failures of a queue that is not there.
    """
    queue = args.get("queue") or None
    groups = desk.monitor.failures(queue)
    page = sliced(groups, args, PER_PAGE)
    return {
        "title": "Failures",
        "groups": page.items,
        "is_first": page.is_first,
        "next_page": page.next_page,
        "group_count": len(groups),
        "job_count": sum(group.count for group in groups),
        "is_cut": len(groups) == MOST,
        "new_since": datetime.now(UTC) - NEW,
        "queue": queue,
        "queue_names": list(desk.config.queues),
        # Of a filter: what addresses have besides.
        "within": {"queue": queue} if queue else {},
    }
