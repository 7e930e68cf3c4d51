"""What people type into a search box, as in `queue:emails state:failed args.user_id:42 "New York"`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from .query import Query
from .record import JobState, state_of

#: What may stand before a colon, each with an example.
QUALIFIERS = {
    "queue": "queue:emails",
    "name": "name:SendWelcomeEmail",
    "state": "state:failed",
    "tag": "tag:vip",
    "error": "error:TimeoutError",
    "id": "id:x5Yq2bXhQ0cT1aZk",
    "args": "args.user_id:42",
}
_PLAIN_KINDS = frozenset(("", "name", "tag", "error", "id"))
_IN_TEXTS = ("args", "error", "text")
#: Characters.
LONGEST = 2000
#: Terms that are looked for in the texts of each job, which takes longer the more there are.
MOST_TEXTS = 20
#: Names a group of errors, see lua/includes/index.lua.
FINGERPRINT = re.compile(r"[0-9a-f]{12}")

_TERM = re.compile(
    r"""(?:(?P<key>[^\W\d][^\s":]*):)?          # queue: or args.city:
        (?:"(?P<quoted>(?:[^"\\]|\\.)*)"        # "New York"; \" and \\ for the characters themselves
          |(?P<bare>[^\s"]\S*)
          |(?P<open>"))?""",
    re.VERBOSE | re.DOTALL,
)


def parse(search: str, *, queues: Sequence[str]) -> Query:
    """What is searched for.

    Terms with spaces between them are conditions, all of which a job must meet. Where a job has one of a kind (queue,
    name, state, id), several terms of that kind name alternatives.

    Args:
        search: the text; without terms it asks for any job.
        queues: names of all queues; one before a colon makes a term an id, as in `emails:x5Yq2bXhQ0cT1aZk`.

    Raises:
        ValueError: a term is wrong; the message says what to do.
    """
    if len(search) > LONGEST:
        raise ValueError(f"a search of {len(search):,} characters: give at most {LONGEST:,}")
    found: dict[str, list[Any]] = defaultdict(list)
    for key, value in _terms(search):
        kind, condition = _condition(key, value, queues)
        found[kind].append(condition)
    if (count := sum(len(found[kind]) for kind in _IN_TEXTS)) > MOST_TEXTS:
        raise ValueError(
            f"{count} texts to look for: give at most {MOST_TEXTS}, and put quotes around words that belong together, "
            'as in "New York"'
        )
    query = Query(
        queues=tuple(found["queue"]) or None,
        names=tuple(found["name"]) or None,
        states=tuple(found["state"]) or None,
        ids=tuple(found["id"]) or None,
        tags=tuple(found["tag"]),
        args=tuple(found["args"]),
        texts=tuple(found["text"]),
    )
    for error in found["error"]:
        query = query.also(about_error(error))
    return query


def about_error(error: str) -> Query:
    """Jobs with this error: a group's fingerprint, or a part of type and message."""
    return Query(fingerprints=(error,)) if FINGERPRINT.fullmatch(error) else Query(errors=(error,))


def _terms(search: str) -> Iterator[tuple[str, str]]:
    rest = search.strip()
    while rest:
        found = _TERM.match(rest)
        assert found is not None, "the pattern matches anything"
        if found["open"]:
            raise ValueError(f'the quote in {rest[:40]!r} is not closed; write \\" inside of quotes for a quote itself')
        key, value = found["key"] or "", found["bare"] or ""
        if found["quoted"] is not None:
            value = re.sub(r"\\(.)", r"\1", found["quoted"], flags=re.DOTALL)
        elif not value:
            raise ValueError(f"{key}: needs a value right after the colon, as in {QUALIFIERS.get(key, 'id:x5Yq')}")
        yield key, value
        rest = rest[found.end() :].lstrip()


def _condition(key: str, value: str, queues: Sequence[str]) -> tuple[str, Any]:
    """What a term asks for: of which kind, and what."""
    kind, _, path = key.partition(".")
    if kind == "args" and path:
        return kind, (path, value)
    if not value:
        raise ValueError(f'{key}:"" asks for nothing: leave it out')
    if key == "queue":
        return key, _queue(value, queues)
    if key == "state":
        return key, _state(value)
    if key in _PLAIN_KINDS:
        return key or "text", value
    if key in queues:
        return "id", f"{key}:{value}"
    known = ", ".join(QUALIFIERS.values())
    raise ValueError(f"{key}: is no qualifier; there are {known}. Put quotes around a text that has a colon in it")


def _queue(value: str, queues: Sequence[str]) -> str:
    if value not in queues:
        raise ValueError(f"queue:{value}: there is no such queue; there are {', '.join(queues)}")
    return value


def _state(value: str) -> JobState:
    try:
        return state_of(value.lower())
    except ValueError as error:
        raise ValueError(f"state:{value}: {error}") from None
