"""A Redis that is full: dispatches are refused whole, while workers go on and make room."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ResponseError

from flask_queue.outcome import Cancelled, Completed, Failed, GivenBack, Released, Retried
from flask_queue.store.conditions import meaning
from flask_queue.store.transitions import POKE_EXPIRY_MS
from tests.store.checks import snapshot
from tests.store.driver import ERROR, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask_queue.outcome import Outcome


@pytest.fixture
def full(queue: Driver) -> Iterator[Driver]:
    """A queue with one running and one waiting job, on a server that has no memory left and knows no script."""
    queue.add("running", "waiting")
    queue.claim(1)
    queue.client.script_flush()
    fill(queue)
    yield queue
    fill(queue, limit=0)


def fill(queue: Driver, *, limit: int = 1) -> None:
    """Let the server have no memory left, or no limit."""
    queue.client.config_set("maxmemory", limit)


@contextmanager
def refused() -> Iterator[None]:
    """What the block asks for is refused, since the server is full; each server says so in words of its own."""
    with pytest.raises(ResponseError) as caught:
        yield
    assert meaning(caught.value) == meaning(ResponseError("OOM"))


@pytest.mark.parametrize("due", ["", "+60000"])
def test_a_dispatch_is_refused_whole(full: Driver, due: str) -> None:
    """Nothing of any job of the call is stored."""
    before = snapshot(full.client, full.keys)
    with refused():
        full.add("a", "b", due=due, nonce="n")
    assert snapshot(full.client, full.keys) == before


def test_logs_and_progress_are_refused(full: Driver) -> None:
    """They change nothing, and their caller is told."""
    before = snapshot(full.client, full.keys)
    with refused():
        full.log("running", "line")
    with refused():
        full.progress("running", 1, 2)
    assert snapshot(full.client, full.keys) == before


@pytest.mark.parametrize(
    "outcome",
    [Completed('"r"'), Retried(5000, ERROR), Failed(ERROR), Released(), Cancelled(), GivenBack()],
    ids=lambda outcome: type(outcome).__name__,
)
def test_workers_settle_and_claim(full: Driver, outcome: Outcome) -> None:
    """What ended is settled whole, else it would run again; and what waits is run, which is what makes room."""
    reply = full.cycle(want=1, settle=[full.ended("running", outcome)])
    assert (reply.late, len(reply.claimed)) == ([], 1)
    assert "running" not in {job.local_id for job in reply.claimed} or isinstance(outcome, GivenBack)


def test_retention_makes_room(full: Driver) -> None:
    """What is trimmed goes in the same call."""
    full.keeping(completed=0).settle("running", Completed())
    assert full.traces("running") == set()


def test_dead_workers_lose_their_jobs(full: Driver) -> None:
    """A worker that lives can say so, and one that died is found out."""
    full.claim(1, "w2")
    fill(full, limit=0)
    full.silence("w1")
    fill(full)
    assert full.reap().recovered == 1
    assert (full.state("running").state, full.state("waiting").state) == ("w", "a")


def test_a_worker_can_be_woken(full: Driver) -> None:
    """It listens to other queues from now on; the poke alone goes away by itself."""
    full.transitions.poke(full.client, full.queue, "w1")
    key = full.keys["poke:w1"]
    assert full.client.zrange(key, 0, -1) == [b"1"]
    assert 0 < full.client.pttl(key) <= POKE_EXPIRY_MS


def test_operators_can_retry(full: Driver) -> None:
    """A retry needs next to nothing."""
    full.settle("running", Failed(ERROR))
    assert full.retry("running") == ["f"]
