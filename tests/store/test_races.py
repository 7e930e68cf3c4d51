"""Operators against workers, and against each other, on one queue at the same moment.

Every action is one script, so that one of two comes first, and the second finds what the first left:

| first, then | what the second finds |
|---|---|
| claim, cancel | an active job: it is asked to stop; its worker may complete it all the same |
| cancel, claim | a tombstone: the worker never sees the job |
| claim, delete | an active job: refused |
| delete, claim | a tombstone, or nothing |
| due, promote | a waiting or active job: refused, and it runs once |
| promote, due | no delayed job: nothing to do, and it runs once |
| retry, retry | a waiting job, or a later state: refused, and it runs once |
| pause, claim | a paused queue: nothing is taken; what was claimed before runs to its end |

If the caller dies, or does not hear the answer, the action was made as a whole or not at all, and is made again:

| action | made again | a worker that dies at the same time |
|---|---|---|
| cancel of a job that waits | is cancelled already | has nothing to do with it |
| cancel of an active job | is asked already | when its lease is over the job is cancelled, not run again |
| promote, reschedule | refused: waits, or runs; or the same time once more | lets others claim it |
| delete | unknown | keeps the jobs it holds: these are never deleted |
| pause, resume | the same | its jobs come back, and wait for the end of the pause |
| clean, retry_all (steps) | the rest is done | its jobs are in another state, and left alone |
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Completed, Failed
from tests.store.driver import ERROR, Driver
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import RedisServer

JOBS = [f"j{number}" for number in range(200)]


@pytest.fixture
def rival(queue: Driver, redis_server: RedisServer) -> Iterator[Driver]:
    """The same queue, over a connection of its own."""
    with redis_server.client() as client:
        yield Driver(client)


@contextmanager
def meanwhile(step: Callable[[], None]) -> Iterator[threading.Event]:
    """Repeat a step in a thread while the block runs; gives what tells that it has been done once."""
    over, begun = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def repeat() -> None:
        try:
            while not over.is_set():
                step()
                begun.set()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield begun
    finally:
        over.set()
        thread.join(20)
    assert not errors, errors


def test_cancel_against_claim(queue: Driver, rival: Driver) -> None:
    """Each job either never ran, or its worker was asked to stop; never both, never neither."""
    queue.add(*JOBS)
    claimed: list[str] = []
    with meanwhile(lambda: claimed.extend(rival.claim(3))):
        before = {local_id: queue.cancel(local_id)[0] for local_id in reversed(JOBS)}
    claimed += rival.claim(256) + rival.claim(256)
    assert sorted(claimed) == sorted(local_id for local_id, state in before.items() if state == "a")
    assert {before[local_id] for local_id in JOBS if local_id not in claimed} <= {"w"}


def test_delete_against_claim(queue: Driver, rival: Driver) -> None:
    """A job that a worker has is there until it is finished; one that was deleted never reaches a worker."""
    queue.add(*JOBS)
    claimed: list[str] = []
    with meanwhile(lambda: claimed.extend(rival.claim(3))):
        outcomes = {local_id: queue.delete(local_id)[0] for local_id in reversed(JOBS)}
    claimed += rival.claim(256) + rival.claim(256)
    assert sorted(claimed) == sorted(local_id for local_id, outcome in outcomes.items() if outcome == "a")
    rival.cycle(settle=[rival.ended(local_id, Completed()) for local_id in claimed])
    assert all(queue.exists(local_id) for local_id in claimed)


def test_promote_against_due(queue: Driver, rival: Driver) -> None:
    """A job whose time comes while it is promoted runs once."""
    claimed: list[str] = []
    for start in range(0, len(JOBS), 20):
        queue.add(*JOBS[start : start + 20], due=f"+{5 + start % 40}")
    with meanwhile(lambda: claimed.extend(rival.claim(5))):
        before = [queue.promote(local_id)[0] for local_id in JOBS]
        wait_until(lambda: len(claimed) >= len(JOBS))
    assert sorted(claimed) == sorted(JOBS)
    assert set(before) <= {"d", "w", "a"}


def test_reschedule_against_due(queue: Driver, rival: Driver) -> None:
    """A job whose time comes while it gets another runs once, at either time."""
    claimed: list[str] = []
    for start in range(0, len(JOBS), 20):
        queue.add(*JOBS[start : start + 20], due=f"+{5 + start % 40}")
    with meanwhile(lambda: claimed.extend(rival.claim(5))):
        before = {local_id: queue.reschedule(local_id, queue.now_ms() + 60_000) for local_id in JOBS}
    claimed += rival.claim(256) + rival.claim(256)
    later = {local_id for local_id, state in before.items() if state == "d"}
    assert sorted(claimed) == sorted(set(JOBS) - later)
    assert queue.client.zcard(queue.keys["delayed"]) == len(later)


def test_retry_against_retry(queue: Driver, rival: Driver) -> None:
    """Two operators, one job each: it is put back once, and runs once."""
    queue.finish(*JOBS, outcome=Failed(ERROR))
    mine: list[str] = []
    theirs: list[str] = []

    def retry_all(driver: Driver, found: list[str]) -> None:
        for local_id in JOBS[len(found) : len(found) + 5]:
            found += driver.retry(local_id)

    with meanwhile(lambda: retry_all(rival, theirs)):
        while len(mine) < len(JOBS):
            retry_all(queue, mine)
        wait_until(lambda: len(theirs) == len(JOBS))
    assert all(sorted(pair) == ["f", "w"] for pair in zip(mine, theirs, strict=True))
    assert sorted(queue.claim(256) + queue.claim(256)) == sorted(JOBS)


def test_pause_against_claim(queue: Driver, rival: Driver) -> None:
    """Once a pause is answered nothing is taken, until the queue is resumed."""
    queue.add(*JOBS)
    claimed: list[str] = []
    wrong: list[str] = []
    #: The pause that is known to be in force, each with a number of its own.
    pauses = [0]

    def claim() -> None:
        before = pauses[-1]
        taken = rival.claim(1)
        claimed.extend(taken)
        wrong.extend(taken if before == pauses[-1] > 0 else [])

    with meanwhile(claim) as begun:
        assert begun.wait(5)
        for number in range(1, 11):
            queue.pause()
            pauses.append(number)
            left = queue.client.llen(queue.keys["waiting"])
            queue.cycle("w2", want=0)
            assert queue.client.llen(queue.keys["waiting"]) == left
            pauses.append(0)
            queue.resume()
            wait_until(lambda left=left: queue.client.llen(queue.keys["waiting"]) < left or not left)  # type: ignore[misc]
    assert wrong == []
    claimed += rival.claim(256) + rival.claim(256)
    assert sorted(claimed) == sorted(JOBS)


def test_delete_against_an_end(queue: Driver, rival: Driver) -> None:
    """A job is deleted after its run or not at all; the run settles either way."""
    late: list[str] = []

    def work() -> None:
        jobs = rival.claim(4)
        late.extend(rival.cycle(settle=[rival.ended(local_id, Completed()) for local_id in jobs]).late)

    queue.add(*JOBS)
    with meanwhile(work):
        for local_id in JOBS:
            wait_until(lambda local_id=local_id: queue.delete(local_id, states="cfx") == ["+"])  # type: ignore[misc]
    assert (late, queue.client.hlen(queue.keys["state"])) == ([], 0)
