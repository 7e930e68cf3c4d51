"""Puts the figures of a run into the docs: `python -m benchmarks.peers.render figures.json docs/how-fast.md`."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from benchmarks.peers.report import report

BEGIN, END = "<!-- figures: written by benchmarks.peers.render -->", "<!-- end of figures -->"


def render(page: str, figures: str, begin: str = BEGIN, end: str = END) -> str:
    """The page with new figures between its marks.

    Raises:
        ValueError: it has no marks.
    """
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no {begin} … {end}")
    return f"{head}{begin}\n\n{figures.strip()}\n\n{end}{tail}"


def take_plot(figures: Path, page: Path, name: str, text: str) -> str:
    """Copy the plot that lies beside the figures to the page's `plots`; the Markdown that shows it, or nothing."""
    drawn = figures.with_suffix(".svg")
    if not drawn.exists():
        return ""
    folder = page.parent / "plots"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(drawn, folder / f"{name}.svg")
    return f"![{text}](plots/{name}.svg)\n\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    shown = take_plot(source, target, "peers", "flask-queue and its peers: bars of the figures below")
    target.write_text(render(target.read_text(), shown + report(json.loads(source.read_text()))))
