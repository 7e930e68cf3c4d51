"""Pausing: nothing is taken from a paused queue, and everything else goes on. And how long the next job has waited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Completed
from flask_queue.store.queries import Queries
from flask_queue.store.store import Store
from tests.store.driver import PREFIX, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RedisServer


@pytest.mark.parametrize("limits", [{}, {"claims": 5, "window_ms": 60_000}, {"running": 5}])
def test_nothing_is_claimed(queue: Driver, limits: dict[str, int]) -> None:
    """Neither jobs of any priority nor what becomes due; a marker will tell when that is over."""
    queue = queue.limited(**limits)
    queue.add("a")
    queue.add("b", priority=1)
    queue.add("c", due="+60000")
    queue.make_due("c")
    queue.pause("a reason")
    reply = queue.cycle(want=9)
    assert ([job.local_id for job in reply.claimed], reply.left, reply.opens_ms) == ([], 3, -1)
    assert queue.state("c").state == "w", "promotion goes on"
    assert queue.resume()
    assert queue.claim(9) == ["b", "a", "c"]


def test_a_pause_is_not_the_end_of_a_window(queue: Driver) -> None:
    """A worker of a queue with a rate limit does not look again when that would open, but when it is told."""
    queue = queue.limited(claims=1, window_ms=60_000)
    queue.add("a", "b")
    queue.claim()
    assert queue.cycle(want=1).opens_ms > 0
    queue.pause()
    assert queue.cycle(want=1).opens_ms == -1


def test_running_jobs_finish(queue: Driver) -> None:
    """What was claimed before settles, and what it gives back waits."""
    queue.add("a", "b")
    queue.claim(1)
    queue.pause()
    assert queue.settle("a", Completed()) == []
    assert (queue.state("a").state, queue.claim(9)) == ("c", [])


def test_other_queues_go_on(queue: Driver) -> None:
    """A pause is one queue's."""
    other = Driver(queue.client, "other")
    queue.add("a")
    other.add("b")
    queue.pause()
    assert (queue.claim(), other.claim()) == ([], ["b"])


def test_a_paused_queue_wakes_nobody_by_itself(queue: Driver) -> None:
    """A worker that looks leaves no marker, so that the next one is not woken for nothing."""
    queue.add("a")
    queue.pause()
    queue.take_marker()
    queue.cycle(want=9)
    assert not queue.take_marker()


def test_a_resume_wakes(queue: Driver) -> None:
    """Where there is something to run; sent again it is harmless."""
    queue.pause()
    assert queue.resume()
    assert not queue.take_marker()
    queue.add("a")
    queue.pause()
    queue.take_marker()
    assert queue.resume()
    assert queue.take_marker()
    assert not queue.resume(), "it was not paused"
    assert queue.take_marker(), "whoever did not hear the first answer may not have woken anybody"


def test_a_paused_and_empty_queue_is_not_closed(queue: Driver) -> None:
    """A worker of it is told that nothing is left, as of any empty queue."""
    queue.pause()
    reply = queue.cycle(want=9)
    assert (reply.left, reply.opens_ms) == (0, 0)


@pytest.fixture
def queries(queue: Driver, redis_server: RedisServer) -> Iterator[Queries]:
    """The read half, on the same server."""
    store = Store(redis_server.url, prefix=PREFIX, dispatch_timeout_s=2, socket_timeout_s=5)
    yield Queries(store, ["q", "other"], lambda name: 3)
    store.close()


def test_paused_queues_are_listed_with_their_reasons(queue: Driver, queries: Queries) -> None:
    """An empty reason is one; a later pause has the last word."""
    assert queries.paused() == {}
    queue.pause()
    Driver(queue.client, "other").pause("first")
    Driver(queue.client, "other").pause("Wartung läuft")
    assert queries.paused() == {"q": "", "other": "Wartung läuft"}
    queue.resume()
    assert queries.paused() == {"other": "Wartung läuft"}


def waits_about(wait_ms: int | None, expected_ms: int) -> bool:
    """Whether it is that, or little more on a slow machine."""
    return wait_ms is not None and expected_ms <= wait_ms < expected_ms + 5000


def test_the_oldest_wait_is_that_of_the_next_job(queue: Driver, queries: Queries) -> None:
    """By priority, then first in first out; since it was dispatched, or became due."""
    assert queries.oldest_wait_ms("q") is None
    for local_id, priority, age_ms in (("low", -1, 90_000), ("normal", 0, 60_000), ("high", 1, 30_000)):
        queue.add(local_id, priority=priority)
        queue.write(local_id, queue.state(local_id)._replace(created_ms=queue.now_ms() - age_ms))
    waits = []
    for _ in range(3):
        waits.append(queries.oldest_wait_ms("q"))
        queue.claim(1)
    assert all(map(waits_about, waits, (30_000, 60_000, 90_000))), waits
    assert queries.oldest_wait_ms("q") is None, "active jobs do not wait"


def test_a_job_that_is_due_waits_since_then(queue: Driver, queries: Queries) -> None:
    """Also before a worker has noticed; one that is not due does not wait."""
    queue.add("a", due="+60000")
    assert queries.oldest_wait_ms("q") is None
    queue.write("a", queue.state("a")._replace(created_ms=queue.now_ms() - 30_000))
    queue.make_due("a", since_ms=20_000)
    assert waits_about(queries.oldest_wait_ms("q"), 20_000)
    queue.cycle()
    assert waits_about(queries.oldest_wait_ms("q"), 20_000)


def test_a_tombstone_does_not_wait(queue: Driver, queries: Queries) -> None:
    """Behind those that a claim is about to meet, the first job is found."""
    queue.add("a", "b", "c")
    for local_id, age_ms in (("b", 60_000), ("c", 30_000)):
        queue.write(local_id, queue.state(local_id)._replace(created_ms=queue.now_ms() - age_ms))
    queue.cancel("b")
    queue.claim(1)
    assert waits_about(queries.oldest_wait_ms("q"), 30_000)
    queue.cancel("c")
    assert queries.oldest_wait_ms("q") is None
