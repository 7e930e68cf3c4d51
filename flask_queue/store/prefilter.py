"""What must occur in the stored texts of a job that matches, so that Redis can pass over nearly all others.

Redis looks for bytes, in JSON, which it folds first: so of each text the longest part is taken that looks the same in
there, whatever is around it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from ..query import PARTS, Query, fold
from ..redact import HIDDEN

#: What JSON writes as it is, in whatever it is.
_SAFE = re.compile(r'[^"\\\x00-\x1f]+')
#: The same without the colon that is shown between the type of an error and its message, but is not stored there.
_SAFE_IN_ERROR = re.compile(r'[^":\\\x00-\x1f]+')
#: From this code point on there is no letter that has a case.
_NO_LETTERS = 0x1F000
_MESSAGE, _ATTEMPTS, _ANYWHERE = "m", "a", "ima"


class Needle(NamedTuple):
    """A folded text, and where it may be: i the local id, m the message, a the attempts."""

    text: str
    where: str

    def as_data(self) -> dict[str, Any]:
        """As includes/is_wanted.lua reads it."""
        places = {"i": "in_id", "m": "in_message", "a": "in_attempts"}
        return {"text": self.text, **{places[letter]: True for letter in self.where}}


def needles(query: Query) -> list[Needle]:
    """What must occur, the longest first: that is rare, and so decides soonest."""
    found = [*_of_args(query), *_of_errors(query.errors, _ATTEMPTS), *_of_errors(query.texts, _ANYWHERE)]
    return sorted(dict.fromkeys(found), key=lambda needle: -len(needle.text))


def folds(needles: Iterable[Needle]) -> dict[str, str]:
    """The letters outside of ASCII that Redis has to fold so that it finds these texts, and into what."""
    letters = {letter for needle in needles for letter in needle.text if not letter.isascii()}
    return {each: fold(each) for letter in letters for each in _unfolded().get(letter, ())}


def _of_args(query: Query) -> Iterator[Needle]:
    for path, value in query.args:
        keys = (part for part in path.split(".") if not part.isdecimal() and part not in PARTS)
        # Keys are not compared without regard to case, but the stored text is looked at in that way.
        for text in (*keys, value):
            if part := _longest(_SAFE, text):
                yield Needle(part, _MESSAGE)


def _of_errors(texts: tuple[str, ...], where: str) -> Iterator[Needle]:
    for text in texts:
        # Of the space that follows that colon the same is true.
        if part := _longest(_SAFE_IN_ERROR, text).strip(" "):
            yield Needle(part, where)


def _longest(pattern: re.Pattern[str], text: str) -> str:
    if text in HIDDEN:
        return ""  # it is found where something else is stored
    return max(pattern.findall(fold(text)), key=len, default="")


@cache
def _unfolded() -> dict[str, list[str]]:
    """Letter → those that are folded into it, or into something with it."""
    found: dict[str, list[str]] = defaultdict(list)
    for letter in map(chr, range(0x80, _NO_LETTERS)):
        if fold(letter) != letter:
            for each in fold(letter):
                found[each].append(letter)
    return found
