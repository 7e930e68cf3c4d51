"""Puts the figures of a run into the docs: `python -m benchmarks.growth.render growth.json docs/how-fast.md`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.growth.report import report
from benchmarks.peers.render import render, take_plot

BEGIN, END = "<!-- growth: written by benchmarks.growth.render -->", "<!-- end of growth -->"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    shown = take_plot(source, target, "growth", "Costs over the number of jobs and queues: curves of the figures below")
    target.write_text(render(target.read_text(), shown + report(json.loads(source.read_text())), BEGIN, END))
