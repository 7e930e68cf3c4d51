"""What operators and running jobs do: retry, counts, log lines, progress."""

from __future__ import annotations

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, Retried
from flask_queue.store.transitions import BATCH
from tests.store.checks import check_queue
from tests.store.driver import ERROR, Driver


@pytest.mark.parametrize("outcome", [Failed(ERROR), Cancelled()])
def test_a_retry_begins_anew(queue: Driver, outcome: Failed | Cancelled) -> None:
    """A failed or cancelled job waits again: attempts and recoveries from 0, history and run number kept."""
    queue.add("a", priority=2)
    queue.claim()
    queue.silence("w1")
    queue.reap()
    queue.claim()
    queue.settle("a", Retried(0, ERROR))
    queue.claim()
    queue.settle("a", outcome)
    history = queue.history("a")
    assert [number for number, _ in history] == [1, 2, 3]
    assert queue.retry("a") == [queue_letter(outcome)]
    state = queue.state("a")
    assert (state.state, state.attempts, state.recoveries, state.number, state.priority) == ("w", 0, 0, 3, 2)
    assert (state.due_ms, state.started_ms, state.finished_ms, state.runtime_ms) == (0, 0, 0, 0)
    assert queue.history("a") == history
    assert queue.cycle(want=1).claimed[0].state.number == 4


def queue_letter(outcome: Failed | Cancelled) -> str:
    """The letter of the state that it leads to."""
    return "f" if isinstance(outcome, Failed) else "x"


def test_retried_jobs_wait_behind_others(queue: Driver) -> None:
    """In the order in which they were named, at the end of their level."""
    queue.finish("a", "b", "c", outcome=Failed(ERROR))
    queue.add("d")
    assert queue.retry("c", "a", "b") == ["f", "f", "f"]
    assert queue.claim(9) == ["d", "c", "a", "b"]


def test_only_failed_and_cancelled_jobs_are_retried(queue: Driver) -> None:
    """Jobs in any other state are left as they are, and their state is told; a completed one never runs again."""
    queue.finish("completed")
    queue.add("active", "waiting")
    queue.add("delayed", due="+60000")
    queue.claim(1)
    names = ["completed", "active", "waiting", "delayed"]
    before = [queue.state(name) for name in names]
    assert queue.retry(*names, "unknown") == ["c", "a", "w", "d", ""]
    assert [queue.state(name) for name in names] == before
    assert queue.claim(9) == ["waiting"]


def test_a_retry_is_idempotent(queue: Driver) -> None:
    """The second retry of a job, in the same call or later, finds it waiting."""
    queue.finish("a", outcome=Failed(ERROR))
    assert queue.retry("a", "a") == ["f", "w"]
    assert queue.retry("a") == ["w"]
    assert queue.claim(9) == ["a"]


def test_a_job_without_payload_cannot_be_retried(queue: Driver) -> None:
    """It would only fail again: it stays failed, and the operator is told why."""
    queue.add("a")
    queue.client.hdel(queue.keys["jobs"], "a")
    queue.claim()
    assert queue.retry("a") == ["p"]
    assert queue.state("a").state == "f"


def test_a_batch_is_retried_in_one_call(queue: Driver) -> None:
    """The most that a call takes."""
    ids = [f"j{index}" for index in range(BATCH)]
    queue.finish(*ids, outcome=Failed(ERROR))
    assert queue.retry(*ids) == ["f"] * BATCH
    assert queue.claim(BATCH) == ids


def test_counts_are_those_of_one_moment(queue: Driver) -> None:
    """Each job is counted once, in its state; tombstones are not, jobs of all workers are."""
    queue.finish("c1", "c2", "c3")
    queue.finish("f1", "f2", outcome=Failed(ERROR))
    queue.finish("x1", outcome=Cancelled())
    queue.add("a1", "a2", "a3", "w1", "w2", "w3", "gone")
    queue.add("a4", "w4", priority=1)
    queue.add("d1", due="+60000")
    queue.claim(2, "one")
    queue.claim(2, "two")
    queue.cancel("gone")
    expected = {"ready": 4, "delayed": 1, "active": 4, "completed": 3, "failed": 2, "cancelled": 2}
    assert check_queue(queue.client, queue.keys) == expected
    assert queue.transitions.unfinished(queue.client, queue.queue) == 8


def test_an_empty_queue_counts_nothing(queue: Driver) -> None:
    """A queue that nobody has used yet is empty, not an error."""
    assert sum(check_queue(queue.client, queue.keys).values()) == 0
    assert queue.transitions.unfinished(queue.client, queue.queue) == 0


def test_log_lines_are_kept_in_order(queue: Driver) -> None:
    """Whatever text they hold, in any state of the job, over all its runs."""
    queue.add("a")
    lines = ["", "two words", "é\n%s\x00", "x" * 10_000]
    assert all(queue.log("a", line) for line in lines[:1])
    queue.claim()
    assert queue.log("a", lines[1])
    queue.settle("a", Retried(0, ERROR))
    queue.claim()
    assert queue.log("a", lines[2])
    queue.settle("a", Completed())
    assert queue.log("a", lines[3])
    kept = queue.client.lrange(queue.keys["logs:a"], 0, -1)
    assert [line.decode() for line in kept] == lines
    assert (queue.state("a").flags, queue.state("a").state) == ("l", "c")


def test_the_newest_thousand_lines_are_kept(queue: Driver) -> None:
    """The oldest go first."""
    queue.add("a")
    for number in range(1003):
        queue.log("a", str(number))
    kept = queue.client.lrange(queue.keys["logs:a"], 0, -1)
    assert (len(kept), kept[0], kept[-1]) == (1000, b"3", b"1002")


def test_a_job_that_is_gone_logs_nothing(queue: Driver) -> None:
    """Neither lines nor progress outlive the record, or come after it."""
    queue.keeping(completed=0).finish("a")
    assert (queue.log("a", "line"), queue.progress("a", 1, 2)) == (False, False)
    assert queue.traces("a") == set()


def test_a_line_changes_nothing_about_a_run(queue: Driver) -> None:
    """The fence and the counters of a running job stay."""
    queue.add("a")
    queue.claim()
    before = queue.state("a")
    queue.log("a", "line")
    assert queue.state("a") == before._replace(flags="l")
    assert queue.settle("a", Completed()) == []


@pytest.mark.parametrize(("done", "total", "text"), [(0, 100, b"0 100"), (1.5, 3, b"1.5 3"), (10**9, 10**11, None)])
def test_progress_is_the_latest(queue: Driver, done: float, total: float, text: bytes | None) -> None:
    """Each note replaces the one before; numbers are exact as far as anybody counts."""
    queue.add("a")
    queue.progress("a", 7, 8)
    assert queue.progress("a", done, total)
    kept = queue.client.hget(queue.keys["progress"], "a")
    assert kept == (text or kept)
    assert [float(word) for word in kept.split()] == [done, total]
