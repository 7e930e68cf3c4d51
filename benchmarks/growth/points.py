"""One point of a curve: so many jobs, or queues, and all that is measured there. Each has a server of its own."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from flask.testing import FlaskClient

from benchmarks import pages
from benchmarks.growth.costs import Figures, drain_all, measure_drains, measure_idling, measure_transitions, metered
from benchmarks.growth.ground import open_ground
from benchmarks.growth.plan import Plan
from benchmarks.peers.server import Server, serving
from benchmarks.seed import seed

#: Threads of one queue alone, and of each of several.
THREADS, THREADS_OF_EACH = 8, 2
#: In the run over delayed jobs, each is delayed so long before it runs.
MOMENT_S = 0.001
STATES = ("waiting", "delayed", "completed")
#: Name → path below the dashboard.
PAGES = {
    "overview": "",
    "jobs": "jobs/",
    "waiting": "jobs/?state=waiting",
    "failed": "jobs/?state=failed",
    "failures": "failures/",
}


def measure_state(state: str, size: int, plan: Plan) -> Figures:
    """Dispatches, runs and an idle worker while so many jobs are in a state; and what each of those takes.

    Of completed ones as many are kept as there are, so that each run that settles one more also trims the oldest.
    """
    keep = size if state == "completed" else 10_000
    with serving() as server, open_ground(server, threads=THREADS, keep=keep) as ground:
        before = server.bytes_used()
        ground.fill(state, size)
        figures = {"bytes": (server.bytes_used() - before) / size}
        figures |= measure_transitions(ground, plan, MOMENT_S if state == "delayed" else 0.0)
        figures |= measure_drains(ground, plan)
        if state != "waiting":
            figures |= measure_idling(ground, plan)
    return figures


def measure_queues(count: int, plan: Plan) -> Figures:
    """Dispatches, runs, an idle worker and pages with so many queues, the same number of jobs in all."""
    with serving() as server, open_ground(server, count, threads=THREADS_OF_EACH) as ground:
        before = server.bytes_used()
        ground.fill("waiting", plan.queued)
        figures = {"bytes": (server.bytes_used() - before) / plan.queued}
        with metered(server) as cost:
            for number in range(plan.at_once):
                ground.dispatch_one(number)
        figures["dispatch_us"] = cost.script_us / plan.at_once
        figures |= measure_drains(ground, plan)
        figures |= _pages(ground.app.test_client(), server, plan, ("overview", "jobs", "failures"))
        drain_all(ground)
        figures |= measure_idling(ground, plan)
    return figures


def measure_pages(size: int, plan: Plan) -> Figures:
    """The pages of the dashboard over so many jobs in all states but active."""
    with serving() as server:
        seed(server.client, size)
        return _pages(pages.open_app(server.url).test_client(), server, plan, PAGES)


def _pages(visitor: FlaskClient, server: Server, plan: Plan, names: Iterable[str]) -> Figures:
    figures = Figures()
    for name in names:
        timing = pages.measure(visitor, server.client, PAGES[name], plan.requests)
        figures[f"{name}_ms"], figures[f"{name}_commands"] = timing.median_ms, timing.commands
        figures[f"{name}_us"] = statistics.median(_script_us(visitor, server, name) for _ in range(plan.requests))
    return figures


def _script_us(visitor: FlaskClient, server: Server, name: str) -> float:
    """Of one request, what its scripts take."""
    with metered(server) as cost:
        pages.fetch(visitor, PAGES[name])
    return cost.script_us
