"""Deleting: nothing is left of a job, and nothing that is left harms another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, Retried
from flask_queue.store.transitions import BATCH
from tests.store.checks import check_queue
from tests.store.driver import ERROR, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome

HOUR_MS = 3_600_000
ENDS: dict[str, Outcome] = {"completed": Completed('"r"'), "failed": Failed(ERROR), "cancelled": Cancelled()}


def bring(queue: Driver, state: str, local_id: str = "a", nonce: str = "-") -> None:
    """Store a job that has a log, progress and a history, and bring it into a state."""
    queue.add(local_id, nonce=nonce, lock="60000 k")
    queue.log(local_id, "line")
    queue.claim()
    queue.progress(local_id, 1, 2)
    queue.settle(local_id, Retried(0 if state != "delayed" else 60_000, ERROR))
    if state in ENDS:
        queue.claim()
        queue.settle(local_id, ENDS[state])


@pytest.mark.parametrize("state", ["waiting", "delayed", *ENDS])
def test_nothing_is_left(queue: Driver, state: str) -> None:
    """Payload, record, history, log, progress and unique lock go, in every state."""
    queue.add("z")
    queue.claim()
    bring(queue, state)
    assert len(queue.traces("a")) > 3
    assert queue.delete("a") == ["+"]
    assert queue.traces("a") == set()
    assert queue.delete("a") == [""]
    assert (queue.claim(9), queue.add("b", lock="60000 k")) == ([], {})


@pytest.mark.parametrize("priority", [-1, 0, 1])
def test_a_deleted_job_never_runs(queue: Driver, priority: int) -> None:
    """The others do, in their order, and counts are right at once."""
    queue.add("a", "b", "c", priority=priority)
    assert queue.delete("b") == ["+"]
    assert check_queue(queue.client, queue.keys)["ready"] == 2
    assert queue.claim(9) + queue.claim(9) == ["a", "c"]


def test_an_active_job_is_not_deleted(queue: Driver) -> None:
    """Its worker has it, whoever asks."""
    queue.add("a")
    queue.claim()
    before = queue.state("a")
    assert queue.delete("a") == ["a"]
    assert queue.delete("a", states="a") == ["a"]
    assert queue.state("a") == before


def test_jobs_go_only_from_the_states_that_were_named(queue: Driver) -> None:
    """A job that is elsewhere by now is left alone, and its state is told."""
    queue.finish("f", outcome=Failed(ERROR))
    queue.add("w")
    queue.add("d", due="+60000")
    assert queue.delete("f", "w", "d", states="wd") == ["f", "+", "+"]
    assert queue.delete("f", states="wdcx") == ["f"]
    assert queue.delete("f", states="f") == ["+"]


def test_jobs_go_only_if_they_are_old(queue: Driver) -> None:
    """By their end, or by their creation where they have none."""
    queue.finish("old", "new", outcome=Failed(ERROR))
    queue.age("old", HOUR_MS)
    queue.write("new", queue.state("new")._replace(created_ms=queue.now_ms() - HOUR_MS))
    queue.add("waits", "delayed-not")
    queue.write("waits", queue.state("waits")._replace(created_ms=queue.now_ms() - HOUR_MS))
    until_ms = queue.now_ms() - HOUR_MS + 5000
    assert queue.delete("old", "new", "waits", "delayed-not", until_ms=until_ms) == ["+", "f", "+", "w"]


@pytest.mark.parametrize("state", ["waiting", "delayed", *ENDS])
def test_an_id_that_its_caller_chose_is_remembered(queue: Driver, state: str) -> None:
    """For an hour from its dispatch a repeat stores nothing; it finds a job that will not run."""
    bring(queue, state, nonce="n1")
    queue.delete("a")
    [found] = queue.add("a", nonce="n2").values()
    expected = {"completed": "c", "failed": "f"}.get(state, "x")
    assert (found.state.state, found.state.finished_ms > 0, found.name) == (expected, True, "SendWelcomeEmail")
    assert queue.claim(9) == []


@pytest.mark.parametrize("state", ["waiting", "delayed", *ENDS])
def test_a_later_job_of_the_same_id_is_its_own(queue: Driver, state: str) -> None:
    """What is left of the first, if anything, neither runs, lists nor deletes the second."""
    queue.add("z")
    queue.claim()
    bring(queue, state, nonce="n1")
    queue.delete("a")
    queue.client.delete(queue.keys["id:a"])
    queue.add("a", nonce="n2")
    assert queue.claim(9) == ["a"]
    queue.settle("a", Completed())
    queue.keeping(completed=1).cycle()
    assert (queue.exists("a"), queue.claim(9)) == (True, [])


def test_a_batch_is_deleted_in_one_call(queue: Driver) -> None:
    """The most that a call takes; what it leaves in the list is swept at once."""
    ids = [f"j{index}" for index in range(BATCH)]
    queue.add(*ids)
    assert queue.delete(*ids) == ["+"] * BATCH
    assert queue.client.llen(queue.keys["waiting"]) == 0


def test_a_sweep_removes_a_bounded_number(queue: Driver) -> None:
    """Thousands of tombstones go in steps, and a job ends it."""
    ids = [f"j{index}" for index in range(3 * BATCH)]
    for start in range(0, len(ids), BATCH):
        queue.add(*ids[start : start + BATCH])
    queue.add("last")
    for start in range(len(ids) - BATCH, -1, -BATCH):
        queue.delete(*ids[start : start + BATCH])
    assert queue.client.llen(queue.keys["waiting"]) == 3 * BATCH - 512 + 1
    assert [queue.actions.sweep(queue.queue) for _ in range(2)] == [256, 0]
    assert queue.claim(9) == ["last"]


def test_a_job_without_payload_is_deleted(queue: Driver) -> None:
    """What cannot be retried can be cleared away."""
    queue.add("a", nonce="n1")
    queue.client.hdel(queue.keys["jobs"], "a")
    queue.claim()
    assert queue.delete("a") == ["+"]
