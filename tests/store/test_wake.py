"""The wake marker: who leaves it, so that a blocked worker comes when there is work, and only then."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue.outcome import Completed, Failed, Released, Retried
from tests.store.driver import ERROR, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome
    from tests.servers import RedisServer


def test_a_new_job_wakes(queue: Driver) -> None:
    """One marker, however many jobs and calls."""
    queue.add("a", "b")
    queue.add("c", priority=5)
    assert queue.client.zcard(queue.keys["wake"]) == 1
    assert (queue.take_marker(), queue.take_marker()) == (True, False)


def test_a_refused_job_wakes_nobody(queue: Driver) -> None:
    """An id that exists stores nothing to run."""
    queue.add("a", nonce="n1")
    queue.take_marker()
    queue.add("a", nonce="n2")
    assert not queue.take_marker()


def test_only_the_next_delayed_job_wakes(queue: Driver) -> None:
    """Workers have timers for the first one due: a job due before it needs a new timer, one due after it does not."""
    due = {"first": "+60000", "later": "+90000", "sooner": "+30000"}
    woken = []
    for local_id, delay in due.items():
        queue.add(local_id, due=delay)
        woken.append(queue.take_marker())
    assert woken == [True, False, True]


@pytest.mark.parametrize("outcome", [Retried(10_000, ERROR), Released(10_000)])
def test_a_delay_at_the_end_of_a_run_wakes_alike(queue: Driver, outcome: Outcome) -> None:
    """A back-off that ends before all other delays needs a timer too."""
    queue.add("a", "b")
    queue.claim(2)
    queue.take_marker()
    queue.settle("a", outcome)
    assert queue.take_marker()
    queue.settle("b", Retried(20_000, ERROR))
    assert not queue.take_marker()


def test_a_claim_that_leaves_jobs_wakes_the_next_worker(queue: Driver) -> None:
    """Whoever took the marker leaves another where it leaves work."""
    queue.add("a", "b")
    queue.take_marker()
    queue.claim(1)
    assert queue.take_marker()
    queue.claim(1)
    assert not queue.take_marker(), "nothing was left"


def test_a_worker_without_threads_passes_the_marker_on(queue: Driver) -> None:
    """A cycle that claims nothing leaves the marker for one that can."""
    queue.add("a")
    queue.take_marker()
    queue.cycle(want=0)
    assert queue.take_marker()


@pytest.mark.parametrize("due", ["", "+60000"])
def test_a_worker_that_leaves_passes_the_marker_on(queue: Driver, due: str) -> None:
    """It may have taken it at the last moment; without jobs nobody needs one."""
    queue.transitions.leave(queue.client, [queue.queue], "w2")
    assert not queue.take_marker()
    queue.add("a", due=due)
    queue.take_marker()
    queue.transitions.leave(queue.client, [queue.queue], "w2")
    assert queue.take_marker()


@pytest.mark.parametrize("outcome", [Released(), Retried(0, ERROR)])
def test_a_job_that_waits_again_wakes(queue: Driver, outcome: Outcome) -> None:
    """Its own worker may have no thread for it."""
    queue.add("a")
    queue.claim()
    queue.take_marker()
    queue.settle("a", outcome)
    assert queue.take_marker()


@pytest.mark.parametrize("outcome", [Completed(), Failed(ERROR)])
def test_an_end_wakes_nobody(queue: Driver, outcome: Outcome) -> None:
    """There is nothing to run."""
    queue.add("a")
    queue.claim()
    queue.take_marker()
    queue.settle("a", outcome)
    assert not queue.take_marker()


def test_jobs_of_a_dead_worker_wake(queue: Driver) -> None:
    """Whoever takes them back may have no thread for them."""
    queue.add("a")
    queue.claim()
    queue.take_marker()
    queue.silence("w1")
    queue.reap()
    assert queue.take_marker()
    queue.reap()
    assert not queue.take_marker()


def test_an_operators_retry_wakes(queue: Driver) -> None:
    """A retried job is ready to run; a refused one is not."""
    queue.finish("a", outcome=Failed(ERROR))
    queue.finish("b")
    queue.take_marker()
    queue.retry("b", "nobody")
    assert not queue.take_marker()
    queue.retry("a")
    assert queue.take_marker()


def test_a_blocked_worker_is_woken(queue: Driver, redis_server: RedisServer) -> None:
    """A blocking pop over several queues returns as soon as one has a job."""
    other = Driver(queue.client, "other")
    woken: list[Any] = []

    def block() -> None:
        with redis_server.client() as client:
            woken.append(client.bzpopmin([other.keys["wake"], queue.keys["wake"]], timeout=8))

    thread = threading.Thread(target=block)
    thread.start()
    queue.add("a")
    thread.join(5)
    assert not thread.is_alive()
    assert woken[0][0].decode() == queue.keys["wake"]
