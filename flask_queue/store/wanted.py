"""Which failed jobs are meant, and how to find them without reading all: a part of the read half."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis

from ..record import JobRecord
from ..search import FINGERPRINT
from . import scans
from .connect import translate_errors
from .keys import QueueKeys


@dataclass(frozen=True, slots=True)
class Wanted:
    """Jobs of this name, with this error and this tag; None for any.

    An error is a group's fingerprint, a type, or type and message as in `ValueError: no such user`.
    """

    name: str | None = None
    error: str | None = None
    tag: str | None = None

    def candidates(self, client: Redis, keys: QueueKeys, until_ms: int) -> tuple[list[str], bool]:
        """Local ids of jobs that may be meant, and whether only their state is to be looked at still.

        Those that failed by `until_ms` (Unix ms) are among them, in the order in which they did so; where the tag alone
        says which, in that of their dispatch. Redis: the smallest index of what was asked for, in bounded steps.
        """
        indexes = {"": [keys["failed"]]}
        if self.error is not None:
            indexes = {"error": list(_groups_of(client, keys, self.error))}
        elif self.name is not None:
            indexes = {"name": [keys[f"by:name:{self.name}"]]}
        elif self.tag is not None and _is_smaller(client, keys[f"by:tag:{self.tag}"], keys["failed"]):
            indexes = {"tag": [keys[f"by:tag:{self.tag}"]]}
        [(answered, sources)] = indexes.items()
        found: dict[bytes, float] = {}
        for source in sources:
            found |= scans.moments(client, source, until_ms)
        asked = {field for field in ("name", "error", "tag") if getattr(self, field) is not None}
        return scans.first_to_finish(found), asked <= {answered} and ": " not in (self.error or "")

    def matches(self, record: JobRecord) -> bool:
        """Whether a candidate is meant."""
        is_named = self.name in (None, record.name)
        is_tagged = self.tag is None or self.tag in record.tags
        if not is_named or not is_tagged or self.error is None or FINGERPRINT.fullmatch(self.error):
            # One of a group was found in the index of the group.
            return is_named and is_tagged
        error = record.error
        return error is not None and self.error in (error.type, f"{error.type}: {error.message}")


def _groups_of(client: Redis, keys: QueueKeys, error: str) -> Iterator[str]:
    """The keys of the groups of an error."""
    if FINGERPRINT.fullmatch(error):
        yield keys[f"by:error:{error}"]
        return
    for fingerprint, text in scans.fields(client, keys["errors"]):
        if json.loads(text)["type"] == error.partition(": ")[0]:
            yield keys[f"by:error:{fingerprint}"]


def _is_smaller(client: Redis, one: str, other: str) -> bool:
    with translate_errors(client), client.pipeline(transaction=False) as pipeline:
        pipeline.zcard(one)
        pipeline.zcard(other)
        sizes: Any = pipeline.execute()
    return bool(sizes[0] < sizes[1])
