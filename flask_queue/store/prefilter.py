"""What must occur in the stored texts of a job that matches, so that Redis can pass over nearly all others.

Redis looks for bytes, in JSON, which it folds first: so of each text the longest part is taken that looks the same in
there, whatever is around it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal, NamedTuple

from ..query import PARTS, Query, fold
from ..redact import HIDDEN

#: What JSON writes as it is, in whatever it is.
_SAFE = re.compile(r'[^"\\\x00-\x1f]+')
#: The same without the colon that is shown between the type of an error and its message, but is not stored there.
_SAFE_IN_ERROR = re.compile(r'[^":\\\x00-\x1f]+')
_ASCII = re.compile(r"[\x00-\x7f]+")
#: From this code point on there is no letter that has a case.
_NO_LETTERS = 0x1F000
_MESSAGE, _ATTEMPTS, _ANYWHERE = "m", "a", "ima"


class Needle(NamedTuple):
    """Texts, one of which must occur, and where that may be: i the local id, m the message, a the attempts."""

    texts: tuple[str, ...]
    where: str
    #: How the stored text is looked at: as it is, in lower case as far as it is ASCII, or folded.
    how: Literal["exact", "lower", "folded"]

    def as_data(self) -> dict[str, Any]:
        """As includes/is_wanted.lua reads it."""
        places = {"i": "in_id", "m": "in_message", "a": "in_attempts"}
        return {"texts": self.texts, "how": self.how, **{places[letter]: True for letter in self.where}}


def needles(query: Query) -> list[Needle]:
    """What must occur: what is quickly looked for first, and of that the longest, which decides soonest."""
    found = [*_of_args(query), *_of_errors(query.errors, _ATTEMPTS), *_of_errors(query.texts, _ANYWHERE)]
    return sorted(dict.fromkeys(found), key=lambda needle: (needle.how == "folded", -len(needle.texts[0])))


def folds(needles: Iterable[Needle]) -> dict[str, str]:
    """The letters outside of ASCII that Redis has to fold so that it finds these texts, and into what."""
    texts = (text for needle in needles for text in needle.texts)
    letters = {letter for text in texts for letter in text if not letter.isascii()}
    return {each: fold(each) for letter in letters for each in _unfolded().get(letter, ())}


def _of_args(query: Query) -> Iterator[Needle]:
    for path, value in query.args:
        *_, last = path.split(".")
        if not last or last.isdecimal() or last in PARTS:
            # An item of a list, or of a plain actor's arguments: what is stored before it is not known.
            yield from _parts(_SAFE, value, _MESSAGE)
            continue
        key = f'{_inside(last)}":'
        if value in HIDDEN:
            yield Needle((key,), _MESSAGE, "exact")  # what is stored behind it may be anything
        elif value.upper() == value.lower():
            yield Needle(_values(key, value), _MESSAGE, "exact")
        else:
            yield from _either(_values(fold(key), fold(value)), _MESSAGE)


def _values(key: str, value: str) -> tuple[str, ...]:
    """A key with this value: a text, something else, or a list that may have it."""
    return f'{key}"{_inside(value)}"', f"{key}{value}", f"{key}["


def _inside(text: str) -> str:
    """A text as it is between the quotes of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _of_errors(texts: tuple[str, ...], where: str) -> Iterator[Needle]:
    for text in texts:
        # Of the space that follows that colon the same is true.
        yield from _parts(_SAFE_IN_ERROR, text, where)


def _parts(pattern: re.Pattern[str], text: str, where: str) -> Iterator[Needle]:
    """The longest part of a text that is stored as it is; where that is not ASCII, its longest part that is, too."""
    part = "" if text in HIDDEN else max((each.strip(" ") for each in pattern.findall(fold(text))), key=len, default="")
    ascii_part = max(_ASCII.findall(part), key=len, default="")
    if ascii_part:
        yield Needle((ascii_part,), where, "lower")
    if part != ascii_part:
        yield Needle((part,), where, "folded")


def _either(texts: tuple[str, ...], where: str) -> Iterator[Needle]:
    yield Needle(texts, where, "lower" if all(text.isascii() for text in texts) else "folded")


@cache
def _unfolded() -> dict[str, list[str]]:
    """Letter → those that are folded into it, or into something with it."""
    found: dict[str, list[str]] = defaultdict(list)
    for letter in map(chr, range(0x80, _NO_LETTERS)):
        if fold(letter) != letter:
            for each in fold(letter):
                found[each].append(letter)
    return found
