"""Puts the figures of a run into the docs: `python -m benchmarks.peers.render figures.json docs/how-fast.md`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.peers.report import report

BEGIN, END = "<!-- figures: written by benchmarks.peers.render -->", "<!-- end of figures -->"


def render(page: str, figures: str) -> str:
    """The page with new figures between its marks.

    Raises:
        ValueError: it has no marks.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{head}{begin}\n\n{figures.strip()}\n\n{end}{tail}"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(render(target.read_text(), report(json.loads(source.read_text()))))
