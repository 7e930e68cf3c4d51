"""Retention: how many finished jobs are kept, for how long, and what is left of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, Retried
from flask_queue.store.transitions import BATCH
from tests.store.checks import check_queue
from tests.store.driver import DAY_MS, ERROR, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome

#: How a job ends, and the limits that count for it.
ENDS = [
    pytest.param(Completed('"r"'), "completed", id="completed"),
    pytest.param(Failed(ERROR), "failed", id="failed"),
    pytest.param(Cancelled(), "failed", id="cancelled"),
]
each_end = pytest.mark.parametrize(("outcome", "limit"), ENDS)


def kept(queue: Driver) -> set[str]:
    """The jobs that have a record."""
    return {job.decode() for job in queue.client.hkeys(queue.keys["state"])}


@each_end
def test_the_newest_are_kept(queue: Driver, outcome: Outcome, limit: str) -> None:
    """Beyond the limit the oldest go, in the call that settles."""
    queue = queue.keeping(**{limit: 3})
    for local_id in "abcde":
        queue.finish(local_id, outcome=outcome)
    assert kept(queue) == set("cde")


@each_end
def test_limits_are_each_states_own(queue: Driver, outcome: Outcome, limit: str) -> None:
    """A state that is full takes nothing from the others; failed and cancelled have the same limit, each."""
    ends: dict[str, Outcome] = {"c": Completed(), "f": Failed(ERROR), "x": Cancelled()}
    for local_id, other in ends.items():
        queue.finish(local_id, outcome=other)
        queue.age(local_id, 1000)
    full = queue.keeping(**{limit: 1})
    full.finish("new", outcome=outcome)
    gone = set("cfx") - kept(queue)
    assert gone == {{"Completed": "c", "Failed": "f", "Cancelled": "x"}[type(outcome).__name__]}


@each_end
def test_keeping_none(queue: Driver, outcome: Outcome, limit: str) -> None:
    """With a limit of 0 a job is gone when it is settled."""
    queue = queue.keeping(**{limit: 0})
    queue.finish("a", "b", outcome=outcome)
    assert kept(queue) == set()


@each_end
def test_the_old_go(queue: Driver, outcome: Outcome, limit: str) -> None:
    """A job that ended longer ago than the limit goes at any worker's next cycle, one that is younger stays."""
    queue.finish("a", "b", "c", outcome=outcome)
    queue.age("a", DAY_MS + 1)
    queue.age("b", DAY_MS - 60_000)
    queue.cycle("w2")
    assert kept(queue) == {"b", "c"}
    queue.keeping(**{f"{limit}_ms": 3_600_000}).cycle()
    assert kept(queue) == {"c"}


@each_end
def test_both_limits_hold_at_once(queue: Driver, outcome: Outcome, limit: str) -> None:
    """On a queue that is always beyond its count the old go all the same."""
    queue.finish("a", "b", "c", "d", outcome=outcome)
    queue.add("e")
    queue.claim()
    for local_id in "abc":
        queue.age(local_id, DAY_MS + 1)
    queue.keeping(**{limit: 4}).settle("e", outcome)
    assert kept(queue) == {"d", "e"}


@each_end
@pytest.mark.parametrize("by", ["count", "age"])
def test_nothing_is_left_of_a_trimmed_job(queue: Driver, outcome: Outcome, limit: str, by: str) -> None:
    """Payload, record, history, log and progress go with it."""
    queue.add("a", "b")
    queue.claim(2)
    for local_id in "ab":
        queue.settle(local_id, Retried(0, ERROR))
    queue.claim(2)
    for local_id in "ab":
        queue.log(local_id, "line")
        queue.progress(local_id, 1, 2)
    queue.settle("a", outcome)
    queue.settle("b", outcome)
    assert {"jobs", "state", "attempts", "progress", "logs:a"} <= queue.traces("a")
    queue.age("a", DAY_MS + 1)
    queue.keeping(**{limit: 1 if by == "count" else 9}).cycle()
    assert queue.traces("a") == set()
    assert {"jobs", "state", "attempts", "progress", "logs:b"} <= queue.traces("b")


@each_end
def test_a_cycle_trims_about_two_batches_at_most(queue: Driver, outcome: Outcome, limit: str) -> None:
    """A limit that was lowered by thousands is reached in steps, each of them short, and faster than jobs end."""
    for start in range(0, 1280, BATCH):
        queue.finish(*(f"j{index}" for index in range(start, start + BATCH)), outcome=outcome)
    few = queue.keeping(**{limit: 10})
    left = []
    for _ in range(4):
        few.cycle()
        left.append(len(kept(queue)))
    assert left == [768, 256, 10, 10]


@each_end
def test_thousands_of_old_ones_go_in_steps(queue: Driver, outcome: Outcome, limit: str) -> None:
    """The same by age."""
    for start in range(0, 768, BATCH):
        queue.finish(*(f"j{index}" for index in range(start, start + BATCH)), outcome=outcome)
    brief = queue.keeping(**{f"{limit}_ms": 0})
    left = []
    for _ in range(3):
        brief.cycle()
        left.append(len(kept(queue)))
    assert left == [256, 0, 0]


def test_a_retried_job_is_not_trimmed(queue: Driver) -> None:
    """An operator's retry takes a failed job out of the reach of retention."""
    queue.finish("a", outcome=Failed(ERROR))
    queue.age("a", DAY_MS + 1)
    queue.retry("a")
    queue.keeping(failed=0).cycle()
    assert (queue.state("a").state, queue.claim()) == ("w", ["a"])


def test_unfinished_jobs_are_never_trimmed(queue: Driver) -> None:
    """Limits of 0 and any age leave waiting, delayed and active jobs alone."""
    queue.add("active", "waiting")
    queue.add("delayed", due="+60000")
    queue.claim(1)
    queue.keeping(completed=0, completed_ms=0, failed=0, failed_ms=0).cycle()
    assert +check_queue(queue.client, queue.keys) == {"ready": 1, "active": 1, "delayed": 1}
