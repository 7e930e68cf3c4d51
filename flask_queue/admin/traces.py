"""Takes the text of a traceback apart: the app's own frames, those of libraries, and what was raised."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

#: The first line of a frame. In a group a margin with a bar is before it; the place of a SyntaxError has no `in`.
_FRAME = re.compile(r'((?: *\| )?)  File "([^"]+)", line \d+(?:, in .*)?')
_MARGIN = re.compile(r" *(?:\| )?")
#: What joins two exceptions of a chain, as Python writes it.
_LINKS = frozenset(
    {
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    }
)
#: The line above the frames, and the rules around the exceptions of a group.
_HEAD = re.compile(r"(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):|\+(?:-\+)?-{8,}+[ \d.]*+-*+")
#: Code that is not the app's: installed packages, Python's own modules, what runs jobs. The worker may have had another
#: Python than this process, so that only the path can tell.
_LIBRARY = re.compile(
    r"""/(?:site|dist)-packages/
    | /lib(?:64)?/python3(?:\.\d+t?)?/
    | /python3\d+\.zip/
    | /(?:flask_queue|dramatiq)/[^/]
    | ^<(?:frozen|attrs|decorator)
    """,
    re.VERBOSE,
)
#: The top-level package, or module, of an installed file.
_INSTALLED = re.compile(r".*/(?:site|dist)-packages/([^/]+?)(?:\.py)?(?:/|$)")


class Kind(StrEnum):
    """What a part of a traceback is."""

    #: A frame in code of the app.
    OWN = "own"
    #: One frame or more in code that others wrote.
    LIBRARY = "library"
    #: What joins two exceptions of a chain.
    LINK = "link"
    #: The line above the frames, or around an exception of a group.
    HEAD = "head"
    #: What was raised, and all that is not understood.
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a traceback; `frames` tells how many frames they are, 0 for those that are none."""

    kind: Kind
    text: str
    frames: int = 0


def take_apart(text: str, own_packages: Collection[str] = ()) -> list[Part]:
    """The parts of a traceback in their order. Joined by line breaks they are the text again, whatever that is.

    Args:
        text: as Python's `traceback` module formats it.
        own_packages: top-level names of the app's packages, which may be installed like libraries.
    """
    blocks = enumerate(_blocks(text.split("\n"), own_packages))
    parts = []
    # Frames of libraries, and lines of text, go together; each frame of the app stands alone.
    for _, group in groupby(blocks, lambda block: (block[1][0], block[0] if block[1][0] is Kind.OWN else None)):
        members = [block for _, block in group]
        kind, lines = members[0][0], [line for _, lines in members for line in lines]
        parts.append(Part(kind, "\n".join(lines), len(members) if kind in (Kind.OWN, Kind.LIBRARY) else 0))
    return parts


def _blocks(lines: list[str], own_packages: Collection[str]) -> Iterator[tuple[Kind, list[str]]]:
    """Each frame with its code, and each other line."""
    at = 0
    while at < len(lines):
        frame = _FRAME.fullmatch(lines[at])
        if frame is None:
            yield _kind(lines[at]), [lines[at]]
            at += 1
            continue
        end, (margin, file) = at + 1, frame.groups()
        while end < len(lines) and lines[end].startswith((f"{margin}    ", f"{margin}  [Previous line repeated")):
            end += 1
        yield Kind.LIBRARY if _is_library(file, own_packages) else Kind.OWN, lines[at:end]
        at = end


def _kind(line: str) -> Kind:
    bare = _MARGIN.sub("", line, count=1)
    if bare in _LINKS:
        return Kind.LINK
    return Kind.HEAD if _HEAD.fullmatch(bare) else Kind.TEXT


def _is_library(file: str, own_packages: Collection[str]) -> bool:
    installed = _INSTALLED.match(file)
    if installed is not None:
        return installed[1] not in own_packages
    return _LIBRARY.search(file) is not None
