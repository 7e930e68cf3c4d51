"""The curves of a run, as one SVG."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.drawing import COLOURS, drawing
from benchmarks.growth.costs import Figures
from benchmarks.growth.points import PAGES, STATES
from benchmarks.growth.report import Results

#: Of the state of the jobs that are there: title, figure.
BY_JOBS = (
    ("a dispatch, µs in Redis", "dispatch_us"),
    ("claim and settle, µs in Redis", "run_us"),
    ("drain, jobs a second", "drain_per_s"),
    ("bytes a job", "bytes"),
)
#: Title, then label → figure.
BY_QUEUES = (
    ("by queues: µs in Redis", {"dispatch": "dispatch_us", "run": "drain_us"}),
    ("by queues: drain, jobs a second", {"drain": "drain_per_s"}),
    ("by queues: an idle worker's round trips a second", {"idle": "idle_trips_per_s"}),
)
#: The top of a panel, as a multiple of what is drawn.
HEADROOM = 1.15


def plot(results: Results, path: Path) -> None:
    """A panel for each cost, from 0 up, so that what is flat looks flat, over jobs or queues in powers of ten."""
    curves = results["curves"]
    with drawing(path, (9, 9), rows=4, columns=2) as axes:
        for place, (title, figure) in zip(axes, BY_JOBS, strict=False):
            _draw(place, title, {state: _points(curves[state], figure) for state in STATES})
        pages = {name: _points(curves["pages"], f"{name}_ms") for name in PAGES}
        _draw(axes[len(BY_JOBS)], "a page, ms", pages)
        for place, (title, figures) in zip(axes[len(BY_JOBS) + 1 :], BY_QUEUES, strict=True):
            _draw(place, title, {label: _points(curves["queues"], figure) for label, figure in figures.items()})


def _points(curve: dict[str, Figures], figure: str) -> dict[int, float]:
    return {int(count): figures[figure] for count, figures in curve.items() if figure in figures}


def _draw(axes: Axes, title: str, curves: dict[str, dict[int, float]]) -> None:
    for (label, points), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(list(points), list(points.values()), marker="o", markersize=4, color=colour, label=label)
    counts = list(next(iter(curves.values())))
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set_ylim(0, HEADROOM * max(max(points.values()) for points in curves.values()) or 1)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.set_title(title)
    if len(curves) > 1:
        axes.legend(ncols=3, loc="lower left")
