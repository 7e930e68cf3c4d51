"""Claiming: who is next, what a claim writes, what becomes of jobs that cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Completed, Failed, GivenBack, Released
from flask_queue.store.transitions import BATCH
from tests.store.driver import ERROR, MESSAGE, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome


def test_first_in_first_out(queue: Driver) -> None:
    """Jobs of one priority run in the order in which they were stored, however many a claim takes."""
    queue.add("a", "b")
    queue.add("c")
    queue.add("d", "e")
    assert [queue.claim(2), queue.claim(1), queue.claim(5), queue.claim(5)] == [["a", "b"], ["c"], ["d", "e"], []]


def test_higher_priorities_run_first(queue: Driver) -> None:
    """Above 0, then 0, then below 0, in one claim or in many; first in first out inside a level."""
    for local_id, priority in {"n1": -1, "z1": 0, "p1": 1, "n100": -100, "p100": 100, "p2": 2, "n2": -2}.items():
        queue.add(local_id, priority=priority)
        queue.add(f"{local_id}-later", priority=priority)
    order = [f"{name}{later}" for name in ("p100", "p2", "p1", "z1", "n1", "n2", "n100") for later in ("", "-later")]
    assert queue.claim(3) + queue.claim(3) + queue.claim(20) == order


def test_what_is_put_off_is_delayed(queue: Driver) -> None:
    """It spends nothing, leaves no trace in the history, and comes back by itself."""
    queue.add("a")
    queue.claim()
    queue.settle("a", GivenBack(60_000))
    state = queue.state("a")
    assert (state.state, state.attempts, state.recoveries, state.started_ms) == ("d", 0, 0, 0)
    assert state.due_ms - queue.now_ms() == pytest.approx(60_000, abs=5000)
    assert queue.history("a") == []
    queue.make_due("a")
    assert queue.claim() == ["a"]


@pytest.mark.parametrize("priority", [-100, -1, 0, 1, 100])
def test_what_is_given_back_goes_to_the_front_of_its_level(queue: Driver, priority: int) -> None:
    """A job that comes back runs before its level's others, and never before a higher level."""
    for level in (priority - 1, priority, priority + 1):
        queue.add(*(f"{level}/{index}" for index in range(3)), priority=level)
    first = queue.claim(9)
    queue.cycle(settle=[queue.ended(local_id, GivenBack()) for local_id in first])
    assert queue.claim(9) == first
    for local_id in first[::-1]:
        queue.settle(local_id, GivenBack())
    assert queue.claim(9) == first


def test_the_levels_keep_apart_over_many_jobs(queue: Driver) -> None:
    """A level's sequence never reaches into the next, from either end."""
    queue.client.hset(queue.keys["meta"], mapping={"sequence": 2**43 - 4, "front": 4 - 2**43})
    queue.add("low", priority=-1)
    queue.add("high", priority=1)
    queue.claim(2)
    queue.cycle(settle=[queue.ended("high", GivenBack()), queue.ended("low", GivenBack())])
    queue.add("zero")
    assert queue.claim(3) == ["high", "zero", "low"]


def test_a_claim_makes_the_job_active(queue: Driver) -> None:
    """The record names worker, run number and start; the reply is that record with the message."""
    queue.add("a", message=MESSAGE)
    reply = queue.cycle("host:1:x", want=1)
    [job] = reply.claimed
    assert (job.local_id, job.message, job.state) == ("a", MESSAGE, queue.state("a"))
    assert (job.state.state, job.state.worker, job.state.number) == ("a", "host:1:x", 1)
    assert (job.state.started_ms, job.state.attempts) == (reply.now_ms, 0)
    assert (reply.held, reply.left, reply.next_due_ms) == (1, 0, 0)


def test_every_claim_counts_the_number_up(queue: Driver) -> None:
    """Run numbers never restart: not after a release, nor a give-back, nor an operator's retry."""
    queue.add("a")
    outcomes: list[Outcome] = [Released(), GivenBack(), Failed(ERROR)]
    for number, outcome in enumerate(outcomes, 1):
        [job] = queue.cycle(want=1).claimed
        assert job.state.number == number
        queue.settle("a", outcome)
    queue.retry("a")
    assert queue.cycle(want=1).claimed[0].state.number == 4


def test_only_idle_threads_start_what_they_claim(queue: Driver) -> None:
    """What is taken ahead has no start until its worker says so; then it has that time."""
    queue.add("a", "b", "c")
    queue.claim(3, idle=1)
    assert [queue.state(job).started_ms > 0 for job in "abc"] == [True, False, False]
    reply = queue.cycle(started=[("b", 1), ("c", 2)])
    assert [queue.state(job).started_ms for job in "bc"] == [reply.now_ms, 0]
    assert list(reply.late) == ["c"], "that was not its run"


def test_a_start_after_the_job_was_lost_is_reported(queue: Driver) -> None:
    """A worker whose jobs were taken back learns of it when it starts one."""
    queue.add("a")
    queue.claim(1, "w1", idle=0)
    queue.silence("w1")
    queue.reap()
    assert queue.claim(1, "w2") == ["a"]
    before = queue.state("a")
    assert list(queue.cycle("w1", started=[("a", 1)]).late) == ["a"]
    assert queue.state("a") == before


def test_wanting_nothing_takes_nothing(queue: Driver) -> None:
    """A worker without a free thread only settles; it learns what is left."""
    queue.add("a", "b")
    queue.add("p", priority=1)
    reply = queue.cycle(want=0)
    assert (reply.claimed, reply.left) == ([], 3)
    assert queue.cycle(want=2).left == 1


def test_a_claim_takes_a_batch_at_most(queue: Driver) -> None:
    """More than a batch is never taken at once, whatever is asked for, and none is lost."""
    for start in range(0, 300, 100):
        queue.add(*(f"j{index}" for index in range(start, start + 100)))
    taken = queue.claim(9000)
    assert taken == [f"j{index}" for index in range(BATCH)]
    assert queue.claim(9000) == [f"j{index}" for index in range(BATCH, 300)]


def test_due_jobs_are_promoted_in_the_order_of_their_times(queue: Driver) -> None:
    """What is due joins the end of its level, earliest first, and runs in the same cycle."""
    queue.add("late", "early", "high", "never", due="+60000")
    queue.add("before")
    for local_id, since_ms in {"late": 10, "early": 500, "high": 100}.items():
        queue.make_due(local_id, since_ms=since_ms)
    queue.write("high", queue.state("high")._replace(priority=7))
    reply = queue.cycle(want=9)
    assert [job.local_id for job in reply.claimed] == ["high", "before", "early", "late"]
    assert reply.next_due_ms == queue.state("never").due_ms


def test_a_full_worker_promotes_too(queue: Driver) -> None:
    """Promotion does not wait for a thread: another worker may have one."""
    queue.add("a", due="+60000")
    queue.make_due("a")
    assert queue.cycle(want=0).left == 1
    assert (queue.state("a").state, queue.take_marker()) == ("w", True)


def test_a_cycle_promotes_a_batch_at_most(queue: Driver) -> None:
    """Thousands due at once take several cycles; the reply says that more is due already."""
    for start in range(0, 400, 200):
        queue.add(*(f"j{index}" for index in range(start, start + 200)), due="+60000")
    for index in range(400):
        queue.make_due(f"j{index}", since_ms=1000 - index)
    reply = queue.cycle(want=0)
    assert (reply.left, reply.next_due_ms <= reply.now_ms) == (256, True)
    assert queue.cycle(want=0).left == 400
    assert queue.claim(256) == [f"j{index}" for index in range(256)]


def test_a_job_that_is_not_due_stays(queue: Driver) -> None:
    """Not a millisecond early."""
    queue.add("a", due="+60000")
    assert queue.claim(5) == []
    assert queue.state("a").state == "d"


@pytest.mark.parametrize("priority", [-1, 0, 1])
def test_a_job_without_payload_fails(queue: Driver, priority: int) -> None:
    """Its payload was evicted or deleted by hand: it is shown as failed, with the reason, and the others run."""
    queue.add("gone", "next", priority=priority)
    queue.client.hdel(queue.keys["jobs"], "gone")
    reply = queue.cycle(want=2)
    assert [job.local_id for job in reply.claimed] == ["next"]
    assert (queue.state("gone").state, queue.state("gone").attempts) == ("f", 0)
    [entry] = queue.entries("gone")
    assert (entry["outcome"], entry["error"]["type"]) == ("failed", "MissingPayload")
    assert reply.held == 1


def test_tombstones_are_skipped(queue: Driver) -> None:
    """A job cancelled while it waited is passed over, and the count of tombstones goes down."""
    queue.add("a", "b", "c", "d")
    assert queue.cancel("a", "c") == ["w", "w"]
    assert queue.claim(2) == ["b"], "a claim looks at as many entries as it wants"
    assert queue.claim(2) == ["d"]
    assert queue.client.hget(queue.keys["meta"], "tombstones") == b"0"


def test_a_job_that_came_back_over_its_tombstone_runs_once(queue: Driver) -> None:
    """Cancelled and retried, a job is in the list twice; one claim that meets both takes it once."""
    queue.add("first", "a", "b")
    queue.cancel("a")
    assert queue.retry("a") == ["x"]
    assert queue.claim(5) == ["first", "a", "b"]
    assert queue.settle("a", Completed()) == []
    assert queue.claim(5) == []


def test_a_tombstone_met_later_is_no_second_run(queue: Driver) -> None:
    """The other entry is met while the job runs, has run, or waits again at the front."""
    queue.add("first", "a", "b")
    queue.cancel("a")
    queue.retry("a")
    assert queue.claim(2) == ["first", "a"]
    queue.settle("a", GivenBack())
    assert queue.claim(1) == ["a"]
    assert queue.claim(2) == ["b"]
    queue.settle("a", Completed())
    assert (queue.claim(5), queue.state("a").state) == ([], "c")


def test_a_tombstone_is_not_a_job_of_another_priority(queue: Driver) -> None:
    """A job that was deleted, and dispatched anew with a lower priority, does not run in the old one's place."""
    queue.add("first", "a", "b", nonce="n1")
    queue.delete("a")
    queue.client.delete(queue.keys["id:a"])
    queue.add("a", priority=-1, nonce="n2")
    assert queue.claim(5) == ["first", "b", "a"]
    queue.add("second", "c", "d", nonce="n3")
    queue.delete("c")
    queue.client.delete(queue.keys["id:c"])
    queue.add("c", priority=-1, nonce="n4")
    assert queue.claim(1) == ["second"]
    assert [queue.actions.sweep(queue.queue) for _ in range(2)] == [1, 0]
    assert queue.claim(5) == ["d", "c"]


def test_a_claim_sweeps_the_front(queue: Driver) -> None:
    """Behind hundreds of tombstones the next job is found at once."""
    for start in range(0, 600, 200):
        queue.add(*(f"j{index}" for index in range(start, start + 200)))
    queue.add("last")
    for start in range(1, 600, 200):
        queue.cancel(*(f"j{index}" for index in range(start, min(start + 200, 600))))
    assert queue.claim(1) == ["j0"]
    assert queue.claim(1) == [], "a sweep has its limit"
    assert queue.claim(1) == ["last"]


def test_held_lists_what_a_worker_does_not_know_of(queue: Driver) -> None:
    """A claim whose reply was lost is found again by the worker: all that it holds, without what it knows."""
    queue.add("a", "b", "c")
    jobs = {job.local_id: job for job in queue.cycle(want=2).claimed}
    assert queue.transitions.held(queue.client, "q", "w1", ["a"]) == [jobs["b"]]
    assert queue.transitions.held(queue.client, "q", "w1", ["a", "b", "c"]) == []
    assert queue.transitions.held(queue.client, "q", "w2", []) == []
    found = queue.transitions.held(queue.client, "q", "w1", [])
    assert sorted(job.local_id for job in found) == ["a", "b"]
