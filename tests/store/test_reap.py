"""Dead workers: their jobs come back, once, and the living lose nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ResponseError

from flask_queue.outcome import Completed, Failed, GivenBack, Released
from tests.store.driver import ERROR, LEASE_MS, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome


def lose(queue: Driver, worker: str = "w1") -> None:
    """Let a worker die and its lease run out, then take its jobs back."""
    queue.silence(worker)
    queue.reap()


def run_alone(queue: Driver, local_id: str, worker: str) -> None:
    """Claim a job whose time has come if it is delayed, and start it, as a worker does with one that lost others."""
    if queue.state(local_id).state == "d":
        queue.make_due(local_id)
    assert queue.claim(1, worker) == [local_id]
    queue.cycle(worker, started=[(local_id, queue.state(local_id).number)])


def test_a_job_that_lost_two_workers_comes_back_later_and_starts_alone(queue: Driver) -> None:
    """From its second loss it is delayed, and a claim leaves it to its worker to say when it starts."""
    queue.add("a")
    for number in (1, 2):
        assert queue.state("a").state == "w"
        run_alone(queue, "a", f"w{number}")
        lose(queue, f"w{number}")
    state = queue.state("a")
    assert (state.state, state.recoveries, state.due_ms > queue.now_ms()) == ("d", 2, True)
    queue.make_due("a")
    assert queue.claim(1, "w3") == ["a"]
    assert queue.state("a").started_ms == 0
    lose(queue, "w3")
    assert queue.state("a").recoveries == 2


def test_a_call_that_was_held_up_takes_nobody_for_dead(queue: Driver) -> None:
    """Where the server hung, the beats of the living may wait behind this call."""
    queue.add("a")
    queue.claim(1, "w1")
    queue.silence("w1")
    reaped = queue.reap(by_ms=queue.now_ms() - 1)
    assert (reaped.recovered, queue.state("a").state, queue.state("a").worker) == (0, "a", "w1")
    assert queue.reap(by_ms=queue.now_ms() + 1000).recovered == 1


def test_the_error_names_the_workers(queue: Driver) -> None:
    """All that died under the job, oldest first."""
    queue.add("a")
    for number in (1, 2, 3):
        run_alone(queue, "a", f"w{number}")
        queue.silence(f"w{number}")
        queue.reap(max_recoveries=2)
    assert queue.entries("a")[-1]["error"]["message"].endswith("more than 2 times: w1, w2, w3")


def test_a_dead_workers_job_comes_back(queue: Driver) -> None:
    """A started run is lost: the job waits at the front, the loss is counted, no attempt is spent."""
    queue.add("a", "b", "c")
    queue.claim(1, "w1")
    started_ms = queue.state("a").started_ms
    queue.silence("w1")
    reaped = queue.reap()
    assert (reaped.recovered, reaped.given_up) == (1, [])
    state = queue.state("a")
    assert (state.state, state.recoveries, state.attempts, state.started_ms) == ("w", 1, 0, 0)
    [entry] = queue.entries("a")
    assert (entry["number"], entry["outcome"], entry["worker"]) == (1, "lost", "w1")
    assert (entry["started_at"], entry["error"]) == (started_ms, None)
    assert queue.claim(3, "w2") == ["a", "b", "c"]


def test_a_run_that_had_not_started_is_no_loss(queue: Driver) -> None:
    """What was only taken ahead cannot have killed its worker: it comes back as if never claimed."""
    queue.add("a", "b")
    queue.claim(2, "w1", idle=1)
    lose(queue)
    assert [queue.state(job).recoveries for job in "ab"] == [1, 0]
    assert queue.history("b") == []


def test_a_run_that_started_later_counts(queue: Driver) -> None:
    """A job taken ahead whose start was reported is as started as any."""
    queue.add("a")
    queue.claim(1, "w1", idle=0)
    queue.cycle("w1", started=[("a", 1)])
    lose(queue)
    assert (queue.state("a").recoveries, queue.history("a")) == (1, [(1, "lost")])


@pytest.mark.parametrize("priority", [-3, 0, 3])
def test_jobs_come_back_in_the_order_of_their_starts(queue: Driver, priority: int) -> None:
    """To the front of their own level, the earliest first."""
    queue.add("a", "b", "c", "d", priority=priority)
    queue.add("above", priority=priority + 1)
    queue.claim(4, "w1")
    for local_id, started_ms in {"above": 9000, "a": 3000, "b": 1000, "c": 2000}.items():
        queue.write(local_id, queue.state(local_id)._replace(started_ms=started_ms))
    lose(queue)
    assert queue.claim(9, "w2") == ["above", "b", "c", "a", "d"]


def test_jobs_that_started_together_come_back_in_the_order_of_their_dispatch(queue: Driver) -> None:
    """As when a worker with many threads claimed them in one call."""
    ids = [f"j{number}" for number in (3, 1, 4, 15, 9, 2, 6, 5)]
    queue.add(*ids)
    for number, local_id in enumerate(ids):
        queue.write(local_id, queue.state(local_id)._replace(created_ms=1_700_000_000_000 + number))
    queue.claim(8, "w1")
    lose(queue)
    assert queue.claim(8, "w2") == ids


def test_a_living_worker_keeps_its_jobs(queue: Driver) -> None:
    """Silence shorter than the lease is life."""
    queue.add("a", "b")
    queue.claim(1, "w1")
    queue.claim(1, "w2")
    queue.silence("w1", LEASE_MS - 1000)
    before = (queue.state("a"), queue.state("b"))
    reaped = queue.reap()
    assert (reaped.recovered, reaped.given_up) == (0, [])
    assert (queue.state("a"), queue.state("b")) == before
    assert queue.settle("a", Completed(), worker="w1") == []


def test_the_reply_says_when_to_look_again(queue: Driver) -> None:
    """The next lease to end is that of the worker which has been silent longest; without workers there is none."""
    assert queue.reap().next_expiry_ms == 0
    for worker, silent_ms in {"w1": 5000, "w2": 9000}.items():
        queue.cycle(worker)
        queue.silence(worker, silent_ms)
    oldest_ms = int(queue.client.zscore(queue.keys["workers"], "w2"))
    reaped = queue.reap()
    assert reaped.next_expiry_ms == oldest_ms + LEASE_MS
    assert abs(reaped.now_ms - queue.now_ms()) < 1000
    assert queue.cycle("w3").oldest_beat_ms == oldest_ms


def test_one_worker_a_call_longest_silent_first(queue: Driver) -> None:
    """Each call takes one dead worker's jobs, and says at once that there is more to do."""
    queue.add("a", "b")
    queue.claim(1, "w1")
    queue.claim(1, "w2")
    queue.silence("w1", LEASE_MS + 1000)
    queue.silence("w2", LEASE_MS + 5000)
    first = queue.reap()
    assert (queue.state("a").state, queue.state("b").state) == ("a", "w")
    assert 0 < first.next_expiry_ms < queue.now_ms()
    second = queue.reap()
    assert (queue.state("a").state, second.next_expiry_ms) == ("w", 0)


def test_reaping_twice_is_harmless(queue: Driver) -> None:
    """Whoever comes second finds nothing to do."""
    queue.add("a")
    queue.claim(1, "w1")
    queue.silence("w1")
    assert queue.reap().recovered == 1
    before = queue.state("a")
    assert (queue.reap().recovered, queue.state("a"), queue.history("a")) == (0, before, [(1, "lost")])


def test_hundreds_of_jobs_come_back_in_steps(queue: Driver) -> None:
    """A call takes at most 256; the worker stays dead until it holds none."""
    ids = {f"j{index}" for index in range(300)}
    queue.add(*sorted(ids)[:200])
    queue.add(*sorted(ids)[200:])
    queue.claim(200, "w1")
    queue.claim(100, "w1")
    queue.silence("w1")
    assert [queue.reap().recovered for _ in range(3)] == [256, 44, 0]
    assert set(queue.claim(256, "w2")) | set(queue.claim(256, "w2")) == ids
    assert queue.client.zscore(queue.keys["workers"], "w1") is None


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_job_that_kills_its_workers_fails(queue: Driver, limit: int) -> None:
    """Lost more often than the limit it fails with WorkerLost, its losses in its history, no attempt spent."""
    queue.add("a")
    for number in range(1, limit + 1):
        run_alone(queue, "a", f"w{number}")
        queue.silence(f"w{number}")
        assert queue.reap(max_recoveries=limit).recovered == 1
    run_alone(queue, "a", "last")
    queue.silence("last")
    reaped = queue.reap(max_recoveries=limit)
    assert (reaped.recovered, reaped.given_up) == (0, ["a"])
    state = queue.state("a")
    assert (state.state, state.recoveries, state.attempts) == ("f", limit + 1, 0)
    assert queue.history("a") == [(number, "lost") for number in range(1, limit + 1)] + [(limit + 1, "failed")]
    error = queue.entries("a")[-1]["error"]
    assert error["type"] == "WorkerLost"
    assert str(limit) in error["message"]
    assert queue.claim(5) == []


def test_other_ends_leave_the_losses_counted(queue: Driver) -> None:
    """Losses add up over releases and give-backs, until an operator's retry."""
    queue.add("a")
    outcomes: list[Outcome] = [Released(), GivenBack()]
    for number, outcome in enumerate(outcomes, 1):
        run_alone(queue, "a", "w1")
        lose(queue)
        assert queue.state("a").recoveries == number
        run_alone(queue, "a", "w1")
        queue.settle("a", outcome)
    assert queue.state("a").recoveries == 2
    run_alone(queue, "a", "w1")
    queue.settle("a", Failed(ERROR))
    queue.retry("a")
    assert queue.state("a").recoveries == 0


def test_a_worker_that_comes_back_late_changes_nothing(queue: Driver) -> None:
    """It was stopped, lost its jobs, and goes on: its ends are late, and it lives again."""
    queue.add("a", "b")
    queue.claim(2, "w1")
    lose(queue)
    assert queue.claim(1, "w2") == ["a"] or queue.state("b").worker == "w2"
    ends = [queue.ended(job, Completed(), number=1) for job in "ab"]
    assert sorted(queue.cycle("w1", settle=ends).late) == ["a", "b"]
    assert queue.client.zscore(queue.keys["workers"], "w1") is not None


def test_a_settled_job_is_not_taken_back(queue: Driver) -> None:
    """What a worker settled before it died is done, even if a stale entry still lists it."""
    queue.add("a", "b")
    queue.claim(2, "w1")
    queue.settle("a", Completed())
    queue.settle("b", Released())
    queue.claim(1, "w2")
    queue.client.sadd(queue.keys["active:w1"], "a", "b", "unheard-of")
    lose(queue)
    assert (queue.state("a").state, queue.state("b").worker) == ("c", "w2")


def test_a_dead_worker_without_jobs_is_forgotten(queue: Driver) -> None:
    """Its beat goes, so that nobody looks at it again."""
    queue.cycle("w1")
    queue.silence("w1")
    assert queue.reap().next_expiry_ms == 0
    assert queue.client.zcard(queue.keys["workers"]) == 0


def test_a_worker_that_leaves_is_forgotten_at_once(queue: Driver) -> None:
    """With nothing left it needs no lease, on any of its queues."""
    other = Driver(queue.client, "other")
    queue.cycle("w1")
    other.cycle("w1")
    queue.transitions.leave(queue.client, ["q", "other"], "w1")
    assert queue.client.zcard(queue.keys["workers"]) == queue.client.zcard(other.keys["workers"]) == 0


def test_a_worker_that_leaves_jobs_behind_keeps_its_lease(queue: Driver) -> None:
    """What it still holds is taken back when the lease runs out."""
    queue.add("a")
    queue.claim(1, "w1")
    beat_ms = queue.client.zscore(queue.keys["workers"], "w1")
    queue.transitions.leave(queue.client, ["q"], "w1")
    assert queue.client.zscore(queue.keys["workers"], "w1") == beat_ms
    lose(queue)
    assert queue.state("a").state == "w"


@pytest.mark.parametrize("others", [[], ["other"]])
def test_a_worker_that_cannot_leave_is_told(queue: Driver, others: list[str]) -> None:
    """An error of any queue is raised, after all of them were tried."""
    queue.client.set(queue.keys["workers"], "not a zset")
    for name in others:
        Driver(queue.client, name).cycle("w1")
    with pytest.raises(ResponseError):
        queue.transitions.leave(queue.client, ["q", *others], "w1")
    queue.client.delete(queue.keys["workers"])
    assert not queue.client.keys("*")


def test_queues_are_reaped_apart(queue: Driver) -> None:
    """A worker's leases are one a queue: reaping one leaves the others to their own calls."""
    other = Driver(queue.client, "other")
    for one in (queue, other):
        one.add("a")
        one.claim(1, "w1")
        one.silence("w1")
    queue.reap()
    assert (queue.state("a").state, other.state("a").state) == ("w", "a")
