"""The trail of what operators did: a capped stream, newest first to read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from ..environment import given_number, is_text, whole
from ..record import AuditEntry, AuditPage
from .connect import translate_errors

#: Entries kept, about: Redis drops whole blocks.
KEPT = 10_000

_CURSOR = re.compile(r"\d{1,18}-\d{1,18}", re.ASCII)


class Audit:
    """The audit trail of one app, over all its queues."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client = client
        self._key = f"{prefix}:audit"

    def note(self, action: str, target: str, actor: str | None, details: Mapping[str, Any]) -> None:
        """Append an entry, with the time of Redis's clock. Redis: one round trip."""
        entry: dict[Any, Any] = {"action": action, "target": target, "details": json.dumps(details)}
        if actor is not None:
            entry["actor"] = actor
        with translate_errors(self._client):
            self._client.xadd(self._key, entry, maxlen=KEPT, approximate=True)

    def page(self, limit: int, cursor: str | None) -> AuditPage:
        """The newest `limit` entries, or those before the cursor. Redis: one round trip.

        Raises:
            ValueError: a wrong limit or cursor.
        """
        most = given_number("audit", "limit", limit, whole(1))
        # Nothing is before an id of zeros, which Redis refuses to look for.
        if cursor is not None and not (is_text(cursor) and _CURSOR.fullmatch(cursor) and cursor.strip("0-")):
            raise ValueError("this cursor is not one of a page's next_cursor")
        newest = "+" if cursor is None else f"({cursor}"
        with translate_errors(self._client):
            found: Any = self._client.xrevrange(self._key, max=newest, count=most + 1)
        entries = [_entry(entry_id, fields) for entry_id, fields in found[:most]]
        return AuditPage(entries, found[most - 1][0].decode() if len(found) > most else None)


def _entry(entry_id: bytes, fields: Mapping[bytes, bytes]) -> AuditEntry:
    at_ms = int(entry_id.partition(b"-")[0])
    actor = fields.get(b"actor")
    return AuditEntry(
        at=datetime.fromtimestamp(at_ms / 1000, UTC),
        action=fields[b"action"].decode(),
        target=fields[b"target"].decode(),
        actor=None if actor is None else actor.decode(),
        details=json.loads(fields[b"details"]),
    )
