"""The plot of a run, as SVG."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.drawing import BLUE, GREY, drawing
from benchmarks.peers.ratios import Results, spread
from benchmarks.peers.report import number

#: Title, figure, and of many samples the share that lies below.
PANELS = (
    ("drain, 1 process: jobs a second", "drain_1_per_s", 0.5),
    ("dispatches a second, one at a time", "enqueue_per_s", 0.5),
    ("idle pick-up, p99: ms", "pickup_ms", 0.99),
    ("worker CPU a job: µs", "drain_1_worker_us", 0.5),
    ("Redis bytes of a waiting job", "waiting_bytes", 0.5),
    ("Redis bytes of a completed job", "completed_bytes", 0.5),
)
COLUMNS = 2
#: So that the line from least to most shows on it.
PALE = (GREY, 0.5)


def plot(results: Results, path: Path) -> None:
    """A panel for each figure, in it a bar for each peer, with the least and most of any round."""
    rows = len(PANELS) // COLUMNS
    height = rows * (0.24 * len(results["peers"]) + 0.7)
    with drawing(path, (9, height), rows=rows, columns=COLUMNS) as axes:
        for position, (place, (title, figure, share)) in enumerate(zip(axes, PANELS, strict=True)):
            _draw(place, results, figure, share)
            place.set_title(title)
            if position % COLUMNS:
                place.set_yticklabels([])


def _draw(axes: Axes, results: Results, figure: str, share: float) -> None:
    peers = list(results["peers"])
    found = [spread(results, peer, figure, share) for peer in peers]
    middles = [each.middle if each else 0.0 for each in found]
    below = [max(0.0, each.middle - each.least) if each else 0.0 for each in found]
    above = [max(0.0, each.most - each.middle) if each else 0.0 for each in found]
    colours = [BLUE if peer.startswith("flask-queue") else PALE for peer in peers]
    axes.barh(peers, middles, color=colours, height=0.7)
    axes.errorbar(middles, peers, xerr=[below, above], fmt="none", ecolor=GREY, elinewidth=1, capsize=2)
    for peer, each in zip(peers, found, strict=True):
        text, end = (number(each.middle), max(each.most, each.middle)) if each else ("–", 0.0)
        axes.annotate(text, (end, peer), (4, 0), textcoords="offset points", va="center", color=GREY, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.grid(visible=False, axis="y")
