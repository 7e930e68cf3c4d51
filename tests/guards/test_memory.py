"""What a job with a tiny payload takes in Redis, with everything that the dashboard finds it by.

The figures are those of docs/sizing.md; a tenth more is for other versions of the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.guards.conftest import Fails, Meter, Nothing

SIZING = Path(__file__).parents[2] / "docs" / "sizing.md"
#: As many as make hash tables neither just full nor just doubled.
COUNT = 5120
MARGIN = 1.1


def told(state: str) -> int:
    """Bytes a job, as the page about sizing tells."""
    [text] = re.findall(rf"^\| {state} \| ([\d,]+) \|", SIZING.read_text(), re.MULTILINE)
    return int(text.replace(",", ""))


def wait(meter: Meter) -> None:
    Nothing.dispatch_many([{"number": number} for number in range(COUNT)])


def delay(meter: Meter) -> None:
    Nothing.options(delay_s=3600).dispatch_many([{"number": number} for number in range(COUNT)])


def complete(meter: Meter) -> None:
    run(meter, Nothing, COUNT)


def run(meter: Meter, job: type[Nothing | Fails], count: int) -> None:
    """Dispatch and run so many."""
    job.dispatch_many([{"number": number} for number in range(count)])
    meter.work()


@pytest.mark.parametrize(("state", "reach"), [("waiting", wait), ("delayed", delay), ("completed", complete)])
def test_a_job_takes_no_more_than_told(meter: Meter, state: str, reach: Callable[[Meter], None]) -> None:
    """Bytes that the server's memory grows by, connections aside."""
    with meter.metered() as cost:
        reach(meter)
    assert meter.queue.counts()["default"][state] >= COUNT
    assert told(state) / 2 < cost.size / COUNT <= told(state) * MARGIN


def test_a_failed_job_takes_no_more_than_told(meter: Meter) -> None:
    """With its traceback, whose length is that of the paths in it."""
    with meter.metered() as cost:
        run(meter, Fails, 1024)
    assert told("failed") / 2 < cost.size / 1024 <= told("failed") * 1.5


def test_what_runs_through_leaves_nothing_behind(meter: Meter) -> None:
    """Beyond what is kept, a completed job frees all that it took.

    Hash tables double and shrink in their own time, by up to 130 kB here. The least that a job could leave behind, an
    entry of one hash, would be twice as much in all.
    """
    meter.broker.retention = replace(meter.broker.retention, completed=100)
    run(meter, Nothing, 2048)
    with meter.metered() as cost:
        for _ in range(4):
            run(meter, Nothing, 2048)
    assert cost.size < 8192 * 16
