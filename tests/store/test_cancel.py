"""Cancelling: at once while a job waits or is delayed, as a request while it is active."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, GivenBack, Released, Retried
from flask_queue.store.transitions import BATCH
from tests.store.driver import ERROR, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome


@pytest.mark.parametrize("priority", [-3, 0, 3])
def test_a_waiting_job_ends_at_once(queue: Driver, priority: int) -> None:
    """It is cancelled with the time of that, never runs, and the others do in their order."""
    queue.add("a", "b", "c", priority=priority)
    assert queue.cancel("b") == ["w"]
    state = queue.state("b")
    assert (state.state, state.attempts, state.number, state.worker) == ("x", 0, 0, "-")
    assert abs(queue.now_ms() - state.finished_ms) < 2000
    assert queue.history("b") == [], "it had no run"
    assert queue.claim(9) + queue.claim(9) == ["a", "c"]


def test_a_delayed_job_ends_at_once(queue: Driver) -> None:
    """Also one that waits for a retry, whose runs stay in its history."""
    queue.add("retried")
    queue.claim()
    queue.settle("retried", Retried(60_000, ERROR))
    queue.add("delayed", due="+60000")
    assert queue.cancel("delayed", "retried") == ["d", "d"]
    states = [queue.state(local_id) for local_id in ("delayed", "retried")]
    assert [(state.state, state.due_ms, state.attempts) for state in states] == [("x", 0, 0), ("x", 0, 1)]
    assert queue.history("retried") == [(1, "retried")]
    assert queue.cycle(want=9).next_due_ms == 0


def test_only_jobs_that_will_run_are_cancelled(queue: Driver) -> None:
    """Completed and failed jobs are left as they are, and their state is told."""
    queue.finish("completed")
    queue.finish("failed", outcome=Failed(ERROR))
    before = [queue.state(name) for name in ("completed", "failed")]
    assert queue.cancel("completed", "failed", "unknown") == ["c", "f", ""]
    assert [queue.state(name) for name in ("completed", "failed")] == before


def test_a_cancel_is_idempotent(queue: Driver) -> None:
    """The second one, in the same call or later, finds it cancelled and changes nothing."""
    queue.add("z", "a")
    assert queue.cancel("a", "a") == ["w", "x"]
    before = queue.state("a")
    assert queue.cancel("a") == ["x"]
    assert queue.state("a") == before


def test_a_cancelled_job_can_be_retried(queue: Driver) -> None:
    """It waits again, and runs once, whether its old entry is still in the list or not."""
    queue.add("first", "a", "last", "b")
    queue.cancel("a", "b")
    assert queue.retry("a", "b") == ["x", "x"]
    assert sorted(queue.claim(9) + queue.claim(9)) == ["a", "b", "first", "last"]


def test_a_batch_is_cancelled_in_one_call(queue: Driver) -> None:
    """The most that a call takes."""
    ids = [f"j{index}" for index in range(BATCH)]
    queue.add(*ids)
    assert queue.cancel(*ids) == ["w"] * BATCH
    assert queue.client.llen(queue.keys["waiting"]) == 0, "what it leaves in the list is swept at once"


def test_a_cancel_frees_the_unique_lock(queue: Driver) -> None:
    """Another job may have the key as soon as the first will not run."""
    queue.add("a", lock="60000 k")
    assert list(queue.add("b", lock="60000 k")) == [0]
    queue.cancel("a")
    assert queue.add("b", lock="60000 k") == {}


def test_an_active_job_is_only_asked(queue: Driver) -> None:
    """It stays with its worker, and nothing about its run changes."""
    queue.add("a")
    queue.claim()
    before = queue.state("a")
    assert queue.cancel("a") == ["a"]
    assert queue.cancel("a") == ["a"]
    assert queue.state("a") == before
    # A list with the oldest client library.
    assert set(queue.client.smembers(queue.keys["cancelling"])) == {b"a"}


def test_a_job_that_finished_unaware_is_completed(queue: Driver) -> None:
    """The request came too late, and is forgotten: nothing is cancelled by it later."""
    queue.add("a")
    queue.claim()
    queue.cancel("a")
    assert queue.settle("a", Completed('"r"')) == []
    assert (queue.state("a").state, queue.state("a").result) == ("c", '"r"')
    assert queue.client.exists(queue.keys["cancelling"]) == 0


@pytest.mark.parametrize("outcome", [Cancelled(), Failed(ERROR), Retried(0, ERROR), Retried(9000, ERROR), Released()])
def test_a_run_that_was_asked_to_stop_is_the_last(queue: Driver, outcome: Outcome) -> None:
    """However else it ends, the job is cancelled; the run and its error are in its history."""
    queue.add("a", lock="60000 k")
    queue.claim()
    queue.cancel("a")
    assert queue.settle("a", outcome) == []
    assert (queue.state("a").state, queue.history("a")) == ("x", [(1, "cancelled")])
    error = queue.entries("a")[0]["error"]
    assert (error or {}).get("message") == ("no such user" if isinstance(outcome, Failed | Retried) else None)
    assert queue.claim(9) == []
    assert queue.add("b", lock="60000 k") == {}, "its unique lock is free"


def test_a_job_that_is_given_back_does_not_run_again(queue: Driver) -> None:
    """Its worker shuts down: it had no run that counts, and gets none."""
    queue.add("a", "b")
    queue.claim(2, idle=1)
    queue.cancel("a", "b")
    queue.cycle(settle=[queue.ended("a", GivenBack()), queue.ended("b", GivenBack())])
    assert [queue.state(job).state for job in "ab"] == ["x", "x"]
    assert [queue.history(job) for job in "ab"] == [[], []]
    assert queue.claim(9) == []


@pytest.mark.parametrize("max_recoveries", [0, 3])
def test_a_job_whose_worker_died_does_not_run_again(queue: Driver, max_recoveries: int) -> None:
    """What an operator wanted to stop is not started once more, and not counted as come back or given up."""
    queue.add("started", "ahead", "kept")
    queue.claim(3, idle=1)
    queue.cancel("started", "ahead")
    queue.silence("w1")
    reaped = queue.reap(max_recoveries=max_recoveries)
    assert (reaped.recovered, list(reaped.given_up)) == (1, [])
    assert [queue.state(job).state for job in ("started", "ahead", "kept")] == ["x", "x", "w"]
    assert [queue.history(job) for job in ("started", "ahead")] == [[(1, "lost")], []]
    assert queue.claim(9, "w2") == ["kept"]


def test_a_request_is_for_one_run(queue: Driver) -> None:
    """A job that was retried after its cancel runs as any other."""
    queue.add("a")
    queue.claim()
    queue.cancel("a")
    queue.settle("a", Cancelled())
    queue.retry("a")
    queue.claim()
    queue.settle("a", Completed())
    assert queue.state("a").state == "c"
