"""Measures how costs grow with jobs and queues: `nox -s growth` (see docs/how-fast.md)."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.growth.costs import Figures
from benchmarks.growth.plan import QUICK, Plan
from benchmarks.growth.points import STATES, measure_pages, measure_queues, measure_state
from benchmarks.growth.report import report
from benchmarks.peers import machine
from benchmarks.peers.server import serving


def main() -> None:
    """Measure, report, draw."""
    options = _options()
    if not sys.platform.startswith("linux"):
        sys.exit("The benchmark reads /proc: it runs on Linux.")
    results = measure_all(QUICK if options.quick else Plan()) | {"quick": options.quick}
    path: Path = options.output / "growth.json"
    path.write_text(json.dumps(results, indent=1))
    text = report(results)
    (options.output / "growth.md").write_text(text)
    print(text)
    # Imported late, so that a machine without matplotlib has the figures at least.
    from benchmarks.growth.plot import plot

    plot(results, options.output / "growth.svg")
    print(f"Figures: {path}", file=sys.stderr)


def measure_all(plan: Plan) -> dict[str, Any]:
    """Every point of every curve: name of the curve → how many, as text → figures."""
    with serving() as server:
        results: dict[str, Any] = {"machine": machine.describe(server), "plan": asdict(plan), "curves": {}}
    for curve, count, measure in _points(plan):
        print(f"{curve}, {count:,} ...", end=" ", file=sys.stderr, flush=True)
        started_s = time.monotonic()
        results["curves"].setdefault(curve, {})[str(count)] = measure()
        print(f"{time.monotonic() - started_s:.0f} s", file=sys.stderr, flush=True)
    return results


def _points(plan: Plan) -> Iterator[tuple[str, int, Callable[[], Figures]]]:
    for size in plan.sizes:
        for state in STATES:
            yield state, size, partial(measure_state, state, size, plan)
        yield "pages", size, partial(measure_pages, size, plan)
    for count in plan.queues:
        yield "queues", count, partial(measure_queues, count, plan)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s growth --", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 jobs: shows that it works, not how fast")
    parser.add_argument("--output", type=Path, default=Path(), metavar="FOLDER", help="for growth.json, .md and .svg")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
