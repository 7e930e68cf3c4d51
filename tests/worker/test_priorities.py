"""The order in which workers run jobs: higher priorities first, first in first out inside a level."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime

import pytest

from flask_queue import Job, Retry
from tests.support import wait_until
from tests.worker.conftest import MakeBench

#: Between the default of 0 and the bounds.
LEVELS = (100, 7, 0, -3, -100)
ran: list[object] = []
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()
    gate.clear()


class Notes(Job):
    max_retries = 1

    def handle(self, what: object) -> None:
        ran.append(what)
        if what == "fails" and self.attempt == 1:
            raise Retry(delay_s=0)


class Urgent(Notes):
    priority = 7


class Waits(Job):
    def handle(self) -> None:
        gate.wait(20)


def test_levels_run_one_after_the_other(make_bench: MakeBench) -> None:
    """Five levels, negative ones too, dispatched in turns, one by one and many at once."""
    bench = make_bench(Notes)
    for number, level in itertools.product(range(20), reversed(LEVELS)):
        Notes.options(priority=level).dispatch([level, number])
    for level in LEVELS:
        Notes.options(priority=level).dispatch_many([{"what": [level, number]} for number in range(20, 40)])
    with bench.working({"default": 1}, is_burst=True) as worker:
        assert worker.join(20)
    assert ran == [[level, number] for level in LEVELS for number in range(40)]


def test_a_class_has_a_priority_that_a_dispatch_may_change(make_bench: MakeBench) -> None:
    """What the dispatch says wins, 0 included."""
    bench = make_bench(Notes, Urgent)
    Notes.dispatch("plain")
    Urgent.options(priority=0).dispatch("not urgent")
    record = Urgent.dispatch("urgent")
    assert (record.priority, bench.queue.get(record.id).priority) == (7, 7)
    with bench.working({"default": 1}, is_burst=True) as worker:
        assert worker.join(20)
    assert ran == ["urgent", "plain", "not urgent"]


def test_an_urgent_job_is_next(make_bench: MakeBench) -> None:
    """It passes all that wait, though it came last."""
    bench = make_bench(Notes, Urgent, Waits)
    Waits.dispatch()
    Notes.dispatch_many([{"what": number} for number in range(50)])
    with bench.working({"default": 1}):
        wait_until(lambda: bench.queue.counts()["default"]["active"] == 1)
        Urgent.dispatch("urgent")
        gate.set()
        wait_until(lambda: len(ran) == 51)
    assert ran == ["urgent", *range(50)]


def test_a_retry_goes_to_the_end_of_its_level(make_bench: MakeBench) -> None:
    """Behind those that wait there, before the levels below."""
    bench = make_bench(Notes)
    Notes.options(priority=-1).dispatch("low")
    Notes.options(priority=1).dispatch("fails")
    Notes.options(priority=1).dispatch("high")
    with bench.working({"default": 1}, is_burst=True) as worker:
        assert worker.join(20)
    assert ran == ["fails", "high", "fails", "low"]


def test_a_delayed_job_goes_to_its_level_when_it_is_due(make_bench: MakeBench) -> None:
    """Before the levels below, though they waited longer."""
    bench = make_bench(Notes, Waits)
    Waits.dispatch()
    Notes.dispatch_many([{"what": number} for number in range(5)])
    with bench.working({"default": 1}):
        wait_until(lambda: bench.queue.counts()["default"]["active"] == 1)
        due_at = Notes.options(priority=1, delay_s=0.05).dispatch("due").scheduled_at
        wait_until(lambda: due_at is not None and datetime.now(UTC) > due_at)
        gate.set()
        wait_until(lambda: len(ran) == 6)
    assert ran == ["due", *range(5)]
