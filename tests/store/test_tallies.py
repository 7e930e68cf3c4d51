"""What is counted in each minute and hour, for charts."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, GivenBack, Released, Retried
from flask_queue.store.tallies import metrics
from flask_queue.store.totals import totals
from flask_queue.store.transitions import NewEntry
from tests.store.checks import check_queue
from tests.store.driver import ERROR, MESSAGE, Driver

if TYPE_CHECKING:
    from flask_queue import MinuteMetrics
    from flask_queue.outcome import Outcome


def newest(queue: Driver, **span: int) -> MinuteMetrics:
    """The current step."""
    return steps(queue, **span)[-1]


def steps(queue: Driver, *, minutes: int = 2, step_minutes: int = 2) -> list[MinuteMetrics]:
    """What happened; by default the last two minutes as one step, so that no test ends in another minute."""
    return metrics(queue.client, [queue.keys], minutes=minutes, step_minutes=step_minutes)


def recent(queue: Driver) -> tuple[int, int, int, int]:
    """What was dispatched, completed, failed and retried in the last minutes, whichever they are."""
    both = steps(queue, minutes=10, step_minutes=1)
    names = ("dispatched", "completed", "failed", "retried")
    dispatched, completed, failed, retried = (sum(getattr(step, name) for step in both) for name in names)
    return dispatched, completed, failed, retried


def turn_back(queue: Driver, minutes: int) -> None:
    """Let what was counted last have happened so many minutes earlier."""
    queue.client.hincrby(queue.keys["minute"], "at", -minutes)


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (Completed(), (1, 1, 0, 0)),
        (Failed(ERROR), (1, 0, 1, 0)),
        (Failed(ERROR, spends_attempt=False), (1, 0, 1, 0)),
        (Retried(1000, ERROR), (1, 0, 0, 1)),
        (Released(), (1, 0, 0, 0)),
        (GivenBack(), (1, 0, 0, 0)),
        (Cancelled(), (1, 0, 0, 0)),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, tuple) else "",
)
def test_each_end_is_counted_once(queue: Driver, outcome: Outcome, counts: tuple[int, int, int, int]) -> None:
    """Also where its settling is sent a second time."""
    queue.add("a")
    queue.claim()
    ended = queue.ended("a", outcome)
    for _ in range(2):
        queue.cycle(settle=[ended])
    assert recent(queue) == counts
    check_queue(queue.client, queue.keys)


def test_only_what_is_stored_counts_as_dispatched(queue: Driver) -> None:
    """Not a job whose id is there already, nor the repeat of a call."""
    queue.add("a", "b", nonce="n1")
    queue.add("a", "b", nonce="n1")
    queue.add("b", "c", nonce="n2")
    assert recent(queue)[0] == 3


def test_a_job_that_lost_its_workers_counts_as_failed(queue: Driver) -> None:
    """It has no run that could be timed."""
    queue.add("a")
    queue.claim()
    queue.silence("w1")
    queue.reap(max_recoveries=0)
    assert recent(queue) == (1, 0, 1, 0)


@pytest.mark.parametrize("runtime_ms", [0, 1, 2, 7, 100, 59_999, 86_400_000])
def test_runs_are_timed(queue: Driver, runtime_ms: int) -> None:
    """Within 10 %; below a millisecond it is 0."""
    queue.add("a")
    queue.claim()
    queue.cycle(settle=[queue.ended("a", Completed(), runtime_ms=runtime_ms)])
    [timed] = [step.runtime_ms for step in steps(queue, minutes=10, step_minutes=1) if step.runtime_ms]
    assert timed.p50 == timed.p95 == timed.p99 == pytest.approx(runtime_ms, rel=0.1)


def test_waits_are_timed_from_the_due_time(queue: Driver) -> None:
    """The time in which a job was not to run yet is no wait."""
    queue.add("a", due="+3600000")
    queue.write("a", queue.state("a")._replace(created_ms=queue.now_ms() - 60_000))
    queue.make_due("a", since_ms=5000)
    assert queue.claim() == ["a"]
    queue.settle("a", Completed())
    [waited] = [step.wait_ms for step in steps(queue, minutes=10, step_minutes=1) if step.wait_ms]
    assert 4000 < waited.p50 < 15_000


def test_an_operators_retry_has_waited_for_nothing(queue: Driver) -> None:
    """The time in which the job lay about failed is no wait."""
    queue.finish("a", outcome=Failed(ERROR))
    turn_back(queue, 20)
    queue.age("a", 3_600_000)
    queue.retry("a")
    queue.claim()
    queue.settle("a", Completed())
    [timed] = [step for step in steps(queue, minutes=10, step_minutes=1) if step.runtime_ms]
    assert timed.wait_ms is None


def test_percentiles_are_those_of_all_runs(queue: Driver) -> None:
    """99 short runs and a long one: the p99 is still short, one more long one and it is not."""
    ids = [f"j{n}" for n in range(101)]
    queue.add(*ids)
    queue.claim(101)
    ends = [queue.ended(job, Completed(), runtime_ms=10) for job in ids[:99]]
    queue.cycle(settle=[*ends, queue.ended(ids[99], Completed(), runtime_ms=1000)])
    before = newest(queue, minutes=60, step_minutes=60).runtime_ms
    queue.cycle(settle=[queue.ended(ids[100], Completed(), runtime_ms=1000)])
    after = newest(queue, minutes=60, step_minutes=60).runtime_ms
    assert before is not None
    assert after is not None
    assert [*before] == pytest.approx([10, 10, 10], rel=0.1)
    assert [*after] == pytest.approx([10, 10, 1000], rel=0.1)


def test_minutes_add_up(queue: Driver) -> None:
    """Each is shown in its own step, and all in their hour; what is older than asked for is not."""
    queue.finish("a")
    turn_back(queue, 130)
    queue.finish("b")
    turn_back(queue, 5)
    queue.finish("c", "d")
    by_minute = [step.completed for step in steps(queue, minutes=10, step_minutes=1)]
    assert sorted(filter(None, by_minute)) == [1, 2]
    assert sum(step.completed for step in steps(queue, minutes=300, step_minutes=60)) == 4
    assert sum(step.completed for step in steps(queue, minutes=1440, step_minutes=7)) == 4
    check_queue(queue.client, queue.keys)


def test_a_clock_that_was_set_back_loses_nothing(queue: Driver) -> None:
    """What was counted in a minute to come is kept, and added to once time gets there."""
    queue.finish("a")
    turn_back(queue, -3)
    queue.finish("b")
    turn_back(queue, -3)
    queue.finish("c")
    kept = queue.client.hvals(queue.keys["minutes"])
    assert [text.decode().count("c 2") for text in kept] == [1], kept


def test_steps_have_no_gaps(queue: Driver) -> None:
    """They begin at multiples of their length; where nothing happened they are empty."""
    found = steps(queue, minutes=61, step_minutes=15)
    assert len(found) == 5
    assert all(step.at.minute % 15 == step.at.second == 0 for step in found)
    assert {later.at - earlier.at for earlier, later in pairwise(found)} == {timedelta(minutes=15)}
    assert {(step.dispatched, step.runtime_ms, step.wait_ms) for step in found} == {(0, None, None)}


def test_queues_are_added_up(queue: Driver) -> None:
    """One step has what happened on all of them."""
    other = Driver(queue.client, "other")
    queue.finish("a")
    other.finish("b", "c")
    both = metrics(queue.client, [queue.keys, other.keys], minutes=120, step_minutes=60)
    assert sum(step.completed for step in both) == 3


def test_totals_never_fall(queue: Driver) -> None:
    """They hold what was counted in minutes that are forgotten, and in the one that is not over."""
    before = totals(queue.client, [queue.keys])[0]
    assert (before.dispatched, before.runtime.sum_ms, dict(before.wait.buckets)) == (0, 0, {})
    for runtime_ms in (0, 2, 3, 1000):
        queue.add(f"j{runtime_ms}")
        queue.claim()
        queue.cycle(settle=[queue.ended(f"j{runtime_ms}", Completed(), runtime_ms=runtime_ms)])
        turn_back(queue, 1)
    queue.client.delete(queue.keys["minutes"])
    [found] = totals(queue.client, [queue.keys])
    assert (found.dispatched, found.completed, found.failed, found.retried) == (4, 4, 0, 0)
    assert found.runtime.sum_ms == 1005
    assert sorted(found.runtime.buckets.values()) == [1, 1, 1, 1]
    assert sum(found.wait.buckets.values()) == 4
    check_queue(queue.client, queue.keys)


def test_old_minutes_go(queue: Driver) -> None:
    """A day of minutes is kept, and a week of hours; a queue that nobody uses keeps nothing."""
    minute = queue.now_ms() // 60_000
    for key, unit, keep in (("minutes", 1, 1440), ("hours", 60, 168)):
        for age in range(1, keep + 200):
            queue.client.hset(queue.keys[key], str((minute - age * unit) // unit), "c 1")
    queue.finish("a")
    turn_back(queue, 1)
    queue.finish("b")
    assert 1438 <= queue.client.hlen(queue.keys["minutes"]) <= 1441
    # One of them has the totals.
    assert 167 <= queue.client.hlen(queue.keys["hours"]) <= 170
    assert all(0 < queue.client.ttl(queue.keys[key]) <= 8 * 86_400 for key in ("minute", "minutes", "hours"))


def test_bulk_is_counted_at_once(queue: Driver) -> None:
    """A call of 256 jobs writes as many counts as one of a single job."""
    entries = [NewEntry(f"j{n}", MESSAGE) for n in range(256)]
    queue.client.config_resetstat()
    queue.transitions.enqueue(queue.client, queue.queue, entries)
    assert queue.client.info("commandstats")["cmdstat_hincrby"]["calls"] == 1
    assert recent(queue)[0] == 256
