"""Which jobs are asked for: what listings, searches, counts and bulk actions go by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

from .record import JobRecord, JobState

T = TypeVar("T")

#: Where a plain actor's arguments are in a payload.
PARTS = ("args", "kwargs")
#: The number of a list's item has fewer.
_DIGITS = 10
#: Two letters whose lower case has ASCII in it stay as they are: so what is ASCII in a folded text was so before.
_FOLDED = re.compile("[^\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}\N{KELVIN SIGN}]+")

#: That at the end of a word is the same letter.
_SIGMAS = ("\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}")


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that a job must meet, all of them; None and nothing leave a matter open."""

    states: tuple[JobState, ...] | None = None
    queues: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    #: Full or local ids, or their beginnings; one will do.
    ids: tuple[str, ...] | None = None
    #: A job must have them all.
    tags: tuple[str, ...] = ()
    #: Of the group of errors that a failed job is in.
    fingerprints: tuple[str, ...] = ()
    #: Parts of its error: of the type, or the message, or both with a colon between.
    errors: tuple[str, ...] = ()
    #: Path into the payload, with dots, and a value there.
    args: tuple[tuple[str, str], ...] = ()
    #: Parts of its id, name or error, or of a key or a value of its payload.
    texts: tuple[str, ...] = ()
    #: When it finished, or if it did not, was created; Unix ms, both included.
    since_ms: int | None = None
    until_ms: int | None = None

    def also(self, other: Self) -> Self:
        """What meets the conditions of both."""
        return type(self)(
            states=_common(self.states, other.states),
            queues=_common(self.queues, other.queues),
            names=_common(self.names, other.names),
            ids=_common(self.ids, other.ids),
            tags=_all(self.tags, other.tags),
            fingerprints=_all(self.fingerprints, other.fingerprints),
            errors=_all(self.errors, other.errors),
            args=_all(self.args, other.args),
            texts=_all(self.texts, other.texts),
            since_ms=max((each.since_ms for each in (self, other) if each.since_ms is not None), default=None),
            until_ms=min((each.until_ms for each in (self, other) if each.until_ms is not None), default=None),
        )

    def asks_only(self, *names: str) -> bool:
        """Whether all other matters are left open."""
        return all(getattr(self, field.name) in (None, ()) for field in fields(self) if field.name not in names)

    def as_data(self) -> dict[str, Any]:
        """What is asked for, as JSON data."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if value not in (None, ())}

    @property
    def is_plain(self) -> bool:
        """Whether every job of some lists will do: nothing has to be looked for."""
        return self.asks_only("states", "queues")

    @property
    def needs_texts(self) -> bool:
        """Whether `matches` has the last word; all other matters are decided in Redis."""
        return bool(self.errors or self.args or self.texts)

    def matches(self, record: JobRecord) -> bool:
        """Whether a job has the texts that are asked for.

        Args:
            record: without the values of secret keys, so that nobody finds out by searching what is not shown.
        """
        return (
            all(_has_argument(record, path, wanted) for path, wanted in self.args)
            and all(_has_error(record, fold(wanted)) for wanted in self.errors)
            and all(_has_text(record, fold(wanted)) for wanted in self.texts)
        )


def fold(text: str) -> str:
    """The text in lower case, each letter by itself, which is how texts are compared."""
    if text.isascii():
        return text.lower()
    return _FOLDED.sub(lambda match: match[0].lower(), text).replace(*_SIGMAS)


def _common(one: tuple[T, ...] | None, other: tuple[T, ...] | None) -> tuple[T, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(each for each in one if each in other)


def _all(one: tuple[T, ...], other: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _has_argument(record: JobRecord, path: str, wanted: str) -> bool:
    roots = (record.payload, *_parts(record.payload))
    return any(fold(_text(value)) == fold(wanted) for root in roots for value in _reach(root, path))


def _parts(payload: Mapping[str, Any]) -> tuple[Any, ...]:
    """Positional arguments and named ones, where the payload is made of both: these two keys are not the user's."""
    return tuple(payload.values()) if tuple(payload) == PARTS else ()


def _has_error(record: JobRecord, wanted: str) -> bool:
    return record.error is not None and wanted in fold(f"{record.error.type}: {record.error.message}")


def _has_text(record: JobRecord, wanted: str) -> bool:
    local_id = record.id.removeprefix(f"{record.queue}:")
    return (
        any(wanted in fold(text) for text in (local_id, record.name))
        or _has_error(record, wanted)
        or any(wanted in fold(text) for text in _texts(_parts(record.payload) or record.payload))
    )


def _reach(value: Any, path: str) -> Iterator[Any]:
    """The plain values at a path: names of keys, which may have dots themselves, and numbers of items."""
    if isinstance(value, list | tuple):
        for item, rest in _items(value, path):
            yield from _reach(item, rest)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == path:
                yield from _reach(item, "")
            elif path.startswith(f"{key}."):
                yield from _reach(item, path[len(key) + 1 :])
    elif not path:
        yield value


def _items(value: Sequence[Any], path: str) -> Iterator[tuple[Any, str]]:
    """The items that a path leads to, with what is left of it: one, where it has a number, else each of them."""
    head, _, rest = path.partition(".")
    if not head.isdecimal():
        yield from ((item, path) for item in value)
    elif len(head) < _DIGITS and int(head) < len(value):
        yield value[int(head)], rest


def _texts(value: Any) -> Iterator[str]:
    """All keys and plain values."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    else:
        yield _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
