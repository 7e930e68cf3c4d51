"""Where a reading of many jobs goes on: a text that users keep between two calls."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from ..query import Query
from .keys import LOCAL_ID
from .records import RawJob

_SCORE = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?(e[+-]?\d{1,3})?", re.ASCII)
_KINDS = (str, int, int, str, str, int, int, int)


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the next call must know of those before."""

    #: Of the query, as a cursor means nothing with another one.
    digest: str
    #: Which way of those to read its jobs, and which place on it.
    way: int
    place: int
    #: Position and id of the last job that was seen in that place; empty at its beginning.
    at: str = ""
    local_id: str = ""
    #: How many jobs were looked at so far, and how many there were to look at, about.
    looked: int = 0
    total: int = 0
    #: When a bulk action began, Unix ms; 0 for other readings.
    began_ms: int = 0

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(astuple(self), separators=(",", ":")).encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Found:
    """A job that may be wanted, and the cursor behind it. Without `job` only its id was asked for."""

    queue: str
    local_id: str
    cursor: Cursor
    job: RawJob | None

    @property
    def raw(self) -> RawJob:
        """The job, where more than its id was asked for."""
        assert self.job is not None
        return self.job


def digest(query: Query, queues: Sequence[str]) -> str:
    """Tells a query on an app's queues from others."""
    text = repr((query, list(queues))).encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=6).hexdigest()


def read_cursor(text: object, wanted: str) -> Cursor:
    """The cursor of its text.

    Raises:
        ValueError: it is none, or none of the query with this digest.
    """
    cursor = _read(text)
    if cursor is None:
        raise ValueError("this cursor is not one of a page's next_cursor")
    if cursor.digest != wanted:
        raise ValueError("this cursor belongs to a listing of other jobs: give it what its page was asked for")
    return cursor


def _read(text: object) -> Cursor | None:
    try:
        parts: Any = json.loads(base64.urlsafe_b64decode(f"{text}=="))
        assert isinstance(text, str)
        assert [type(part) for part in parts] == list(_KINDS)
    except (ValueError, TypeError, RecursionError, AssertionError):
        return None
    cursor = Cursor(*parts)
    numbers = (cursor.way, cursor.place, cursor.looked, cursor.total, cursor.began_ms)
    is_position = bool(_SCORE.fullmatch(cursor.at) and LOCAL_ID.fullmatch(cursor.local_id))
    is_beginning = not cursor.at and not cursor.local_id
    is_fine = (is_position or is_beginning) and all(0 <= number < 2**53 for number in numbers)
    return cursor if is_fine else None
