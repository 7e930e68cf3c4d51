"""Delayed jobs in an operator's hands: promote and reschedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Failed, Retried
from flask_queue.store.transitions import BATCH
from tests.store.driver import ERROR, Driver

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_promoted_job_runs_next_in_its_level(queue: Driver) -> None:
    """It is due now, and waits behind those of its priority that wait already."""
    queue.add("later", due="+60000")
    queue.add("high", due="+60000", priority=3)
    queue.add("now")
    assert queue.promote("later", "high") == ["d", "d"]
    state = queue.state("later")
    assert (state.state, abs(state.due_ms - queue.now_ms()) < 2000) == ("w", True)
    reply = queue.cycle(want=9)
    assert [job.local_id for job in reply.claimed] == ["high", "now", "later"]
    assert reply.next_due_ms == 0


def test_a_back_off_can_be_cut_short(queue: Driver) -> None:
    """A job that waits for its retry is delayed as any other; its attempts stay."""
    queue.add("a")
    queue.claim()
    queue.settle("a", Retried(60_000, ERROR))
    assert queue.promote("a") == ["d"]
    [job] = queue.cycle(want=1).claimed
    assert (job.state.number, job.state.attempts) == (2, 1)


def test_a_reschedule_moves_the_time(queue: Driver) -> None:
    """Earlier or later, in the record and for the workers."""
    queue.add("a", due="+60000")
    for due_ms in (queue.now_ms() + 90_000, queue.now_ms() + 30_000):
        assert queue.reschedule("a", due_ms) == "d"
        assert queue.state("a").due_ms == due_ms
        assert queue.cycle(want=1).next_due_ms == due_ms


@pytest.mark.parametrize("ago_ms", [0, 1, 10**12])
def test_a_time_that_has_passed_makes_it_due(queue: Driver, ago_ms: int) -> None:
    """It runs at the next cycle, before those that became due later."""
    queue.add("a", "b", due="+60000")
    now_ms = queue.now_ms()
    queue.reschedule("b", now_ms)
    queue.reschedule("a", now_ms - ago_ms - 1)
    assert queue.claim(9) == ["a", "b"]


def test_the_far_future_is_kept_exactly(queue: Driver) -> None:
    """Up to the last year that a datetime can name."""
    queue.add("a", due="+60000")
    queue.reschedule("a", 253_402_300_799_999)
    assert queue.state("a").due_ms == 253_402_300_799_999
    assert queue.cycle().next_due_ms == 253_402_300_799_999


CHANGES: list[Callable[[Driver, str], str]] = [
    lambda queue, local_id: queue.promote(local_id)[0],
    lambda queue, local_id: queue.reschedule(local_id, queue.now_ms() + 1000),
]


@pytest.mark.parametrize("change", CHANGES)
def test_only_delayed_jobs_are_changed(queue: Driver, change: Callable[[Driver, str], str]) -> None:
    """All others are left as they are, and their state is told."""
    queue.finish("completed")
    queue.finish("failed", outcome=Failed(ERROR))
    queue.add("active", "waiting", "gone")
    queue.claim(1)
    queue.cancel("gone")
    names = {"completed": "c", "failed": "f", "active": "a", "waiting": "w", "gone": "x"}
    before = [queue.state(name) for name in names]
    assert [change(queue, name) for name in names] == list(names.values())
    assert change(queue, "unknown") == ""
    assert [queue.state(name) for name in names] == before
    assert queue.client.zcard(queue.keys["delayed"]) == 0


def test_a_batch_is_promoted_in_one_call(queue: Driver) -> None:
    """The most that a call takes, in the order in which they were named."""
    ids = [f"j{index}" for index in range(BATCH)]
    queue.add(*ids, due="+60000")
    assert queue.promote(*ids) == ["d"] * BATCH
    assert queue.claim(BATCH) == ids


def test_a_promotion_wakes(queue: Driver) -> None:
    """A worker is told at once; a refused one tells nobody."""
    queue.add("a", due="+60000")
    queue.take_marker()
    queue.promote("unknown")
    assert not queue.take_marker()
    queue.promote("a")
    assert queue.take_marker()


def test_a_reschedule_wakes_where_a_timer_would_be_late(queue: Driver) -> None:
    """A job that becomes the first one due needs a new timer; one that does not, does not."""
    queue.add("first", due="+30000")
    queue.add("second", due="+60000")
    queue.take_marker()
    woken = []
    for local_id, delay_ms in (("second", 90_000), ("second", 10_000), ("second", 40_000), ("first", 50_000)):
        queue.reschedule(local_id, queue.now_ms() + delay_ms)
        woken.append(queue.take_marker())
    assert woken == [False, True, False, False]
