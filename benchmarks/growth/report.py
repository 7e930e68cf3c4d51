"""The figures of a run as tables in Markdown."""

from __future__ import annotations

from typing import Any, TypeAlias

from benchmarks.growth.costs import Figures
from benchmarks.growth.points import PAGES, STATES
from benchmarks.peers.report import describe, markdown, number

Results: TypeAlias = dict[str, Any]

#: Head → figure.
JOBS = {
    "dispatch µs": "dispatch_us",
    "in bulk µs": "many_us",
    "claim and settle µs": "run_us",
    "commands": "run_commands",
    "dispatches/s": "dispatch_per_s",
    "in bulk/s": "many_per_s",
    "drain/s": "drain_per_s",
    "scripts a job": "drain_scripts",
    "idle round trips/s": "idle_trips_per_s",
    "bytes a job": "bytes",
}
QUEUES = {
    "dispatch µs": "dispatch_us",
    "drain/s": "drain_per_s",
    "drain µs": "drain_us",
    "scripts a job": "drain_scripts",
    "idle round trips/s": "idle_trips_per_s",
    "idle µs/s": "idle_us_per_s",
    "bytes a job": "bytes",
    "overview ms": "overview_ms",
    "its commands": "overview_commands",
    "jobs ms": "jobs_ms",
    "failures ms": "failures_ms",
}


def report(results: Results) -> str:
    """Everything: machine, jobs, pages, queues."""
    curves = results["curves"]
    parts = [
        "**Measured with `--quick`: shows that the harness works, not how costs grow.**" if results["quick"] else "",
        f"{describe(results['machine'])} µs are those that a job takes in Redis's scripts, by its own clock.",
        "### By jobs that are there\n\n" + _states(curves),
        "### Pages over jobs in all states\n\n"
        "Milliseconds of a request, µs of Redis's scripts, commands that are sent.\n\n" + _pages(curves["pages"]),
        f"### By queues\n\n{results['plan']['queued']:,} jobs in all, 2 threads for each queue.\n\n"
        + _curve(curves["queues"], "queues", QUEUES),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _states(curves: dict[str, dict[str, Figures]]) -> str:
    rows = [row for state in STATES for row in _rows(curves[state], state, JOBS)]
    return markdown(["jobs", *JOBS], rows)


def _curve(points: dict[str, Figures], name: str, columns: dict[str, str]) -> str:
    return markdown([name, *columns], _rows(points, "", columns))


def _rows(points: dict[str, Figures], name: str, columns: dict[str, str]) -> list[list[str]]:
    """A row for each point, then how many times as much the last is as the first."""
    rows = [
        [f"{int(count):,} {name}".strip(), *(_cell(figures, figure) for figure in columns.values())]
        for count, figures in points.items()
    ]
    first, *_, last = [*points.values()]
    return [*rows, ["*last, to first*", *(_growth(first.get(each), last.get(each)) for each in columns.values())]]


def _cell(figures: Figures, figure: str) -> str:
    return number(figures[figure]) if figure in figures else "–"


def _growth(first: float | None, last: float | None) -> str:
    return f"*{number(last / first)}×*" if first and last else "–"


def _pages(points: dict[str, Figures]) -> str:
    rows = [[name, *(_page(each, name) for each in points.values()), _slower(points, name)] for name in PAGES]
    return markdown(["", *(f"{int(count):,} jobs" for count in points), "*ms, last to first*"], rows)


def _page(figures: Figures, name: str) -> str:
    ms, us, commands = (figures[f"{name}_{unit}"] for unit in ("ms", "us", "commands"))
    return f"{number(ms)} ms, {number(us)} µs, {commands:.0f}"


def _slower(points: dict[str, Figures], name: str) -> str:
    first, *_, last = (figures[f"{name}_ms"] for figures in points.values())
    return _growth(first, last)
