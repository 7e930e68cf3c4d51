"""Pages of a list that is read as a whole, by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Slice(NamedTuple, Generic[T]):
    """What one page shows, and the number of the next, None at the end."""

    items: Sequence[T]
    is_first: bool
    next_page: int | None


def sliced(items: Sequence[T], args: Mapping[str, str], per_page: int) -> Slice[T]:
    """The page that `page` of an address asks for, from 1: the last one beyond the end, the first for nonsense."""
    text = args.get("page", "")
    wanted = int(text) - 1 if text.isascii() and text.isdecimal() and len(text) < 7 else 0
    page = max(0, min(wanted, (len(items) - 1) // per_page))
    first, end = per_page * page, per_page * (page + 1)
    return Slice(items[first:end], page == 0, page + 2 if len(items) > end else None)
