"""Indexes of failed and cancelled jobs: written, and removed, in the transitions that make and end these states.

That indexes and records agree is checked after every test.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, Retried
from flask_queue.record import JobError
from flask_queue.store.failures import failures
from flask_queue.store.wanted import Wanted
from tests.store.checks import snapshot
from tests.store.driver import ERROR, OTHER_ERROR, Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask_queue import FailureGroup

HOUR_MS = 3_600_000


def fingerprint(error: JobError) -> str:
    """What Redis calls the group of an error."""
    text = json.dumps({"type": error.type, "place": error.place}, separators=(",", ":"))
    return hashlib.sha1(text.encode()).hexdigest()[:12]


VALUE, KEY = fingerprint(ERROR), fingerprint(OTHER_ERROR)


def indexes(queue: Driver) -> dict[str, set[str]]:
    """Index → the ids in it."""
    found = snapshot(queue.client, queue.keys).indexes
    return {name: {job.decode() for job in ids} for name, ids in found.items()}


def groups(queue: Driver) -> list[FailureGroup]:
    """What failed."""
    return failures(queue.client, {queue.queue: queue.keys})


def fail_again(queue: Driver, local_id: str, error: JobError) -> None:
    """Retry a job, which fails with this error."""
    assert queue.retry(local_id) == ["f"]
    queue.claim()
    queue.settle(local_id, Failed(error))


def test_failed_jobs_are_found_by_error_and_name(queue: Driver) -> None:
    """Cancelled ones by their name alone, all others not at all."""
    queue.finish("f1", "f2", outcome=Failed(ERROR))
    queue.finish("f3", outcome=Failed(OTHER_ERROR, spends_attempt=False))
    queue.finish("x1", outcome=Cancelled())
    queue.finish("c1", outcome=Completed())
    queue.finish("d1", outcome=Retried(60_000, ERROR))
    queue.add("x2", "w1", message=b"A name: with {braces}, \xc3\xa9\n{}")
    queue.cancel("x2")
    assert indexes(queue) == {
        f"error:{VALUE}": {"f1", "f2"},
        f"error:{KEY}": {"f3"},
        "name:SendWelcomeEmail": {"f1", "f2", "f3", "x1"},
        "name:A name: with {braces}, é": {"x2"},
    }


@pytest.mark.parametrize(
    "leave",
    [
        lambda queue: queue.retry("f1"),
        lambda queue: queue.delete("f1"),
        lambda queue: queue.keeping(failed=1).cycle(),
        lambda queue: (queue.age("f1", 60_000), queue.keeping(failed_ms=30_000).cycle()),
    ],
    ids=["retry", "delete", "too many", "too old"],
)
def test_who_leaves_failed_leaves_the_indexes(queue: Driver, leave: Callable[[Driver], object]) -> None:
    """And the group goes with its last job."""
    queue.finish("f1", outcome=Failed(ERROR))
    queue.finish("x1", outcome=Cancelled())
    queue.finish("f2", outcome=Failed(OTHER_ERROR))
    leave(queue)
    assert indexes(queue) == {f"error:{KEY}": {"f2"}, "name:SendWelcomeEmail": {"f2", "x1"}}
    assert [group.type for group in groups(queue)] == ["KeyError"]


def test_a_cancelled_job_leaves_with_its_retry(queue: Driver) -> None:
    """It has only a name to be found by."""
    queue.add("x1")
    queue.cancel("x1")
    assert queue.retry("x1") == ["x"]
    assert indexes(queue) == {}


def test_a_job_is_listed_under_its_last_error(queue: Driver) -> None:
    """Whatever it failed with before."""
    queue.finish("f1", outcome=Failed(ERROR))
    fail_again(queue, "f1", OTHER_ERROR)
    assert indexes(queue) == {f"error:{KEY}": {"f1"}, "name:SendWelcomeEmail": {"f1"}}
    fail_again(queue, "f1", ERROR)
    queue.retry("f1")
    queue.cancel("f1")
    assert indexes(queue) == {"name:SendWelcomeEmail": {"f1"}}


def test_hundreds_are_trimmed_at_once(queue: Driver) -> None:
    """Of some groups and names each."""
    for start in range(0, 600, 100):
        queue.add(*(f"j{number}" for number in range(start, start + 100)), message=b"Job%d\n{}" % (start % 3))
        ids = queue.claim(100)
        ends = [queue.ended(job, Failed(ERROR if job.endswith("0") else OTHER_ERROR)) for job in ids]
        queue.cycle(settle=ends)
    queue.keeping(failed=0).cycle()
    assert len(snapshot(queue.client, queue.keys).states) == 600 - 512
    queue.keeping(failed=0).cycle()
    assert indexes(queue) == {}


def test_a_job_that_nobody_can_run_is_in_a_group_of_its_kind(queue: Driver) -> None:
    """One whose worker died too often, and one whose payload is gone: nothing tells its name."""
    queue.add("lost")
    queue.claim()
    queue.silence("w1")
    queue.reap(max_recoveries=0)
    queue.add("gone")
    queue.client.hdel(queue.keys["jobs"], "gone")
    assert queue.claim() == []
    assert sorted((group.type, group.place, group.names) for group in groups(queue)) == [
        ("MissingPayload", "", ()),
        ("WorkerLost", "", ("SendWelcomeEmail",)),
    ]
    queue.delete("gone")
    assert [group.type for group in groups(queue)] == ["WorkerLost"]


def test_a_group_tells_of_its_jobs(queue: Driver) -> None:
    """How many, since when, and what the last one said."""
    other = Driver(queue.client, "other")
    queue.finish("f1", "f2", outcome=Failed(ERROR))
    queue.age("f1", 2 * HOUR_MS)
    queue.add("f3", message=b"Other\n{}")
    queue.claim()
    last = JobError(ERROR.type, 'said ","traceback":" \\ and \n more', "Traceback", ERROR.place)
    queue.settle("f3", Retried(0, ERROR))
    queue.claim()
    queue.settle("f3", Failed(last))
    queue.age("f2", HOUR_MS)
    other.finish("f4", "f5", outcome=Failed(JobError("ValueError", "", "", "elsewhere.py:f")))
    other.finish("f6", outcome=Failed(ERROR))
    other.age("f6", 30 * HOUR_MS)
    [group, second] = failures(queue.client, {"q": queue.keys, "other": other.keys})
    assert (group.fingerprint, group.type, group.place) == (VALUE, ERROR.type, ERROR.place)
    assert group.message == last.message
    assert (group.count, group.queues) == (4, {"q": 3, "other": 1})
    assert group.names == ("Other", "SendWelcomeEmail")
    assert group.first_at.timestamp() * 1000 == other.state("f6").finished_ms
    assert group.last_at.timestamp() * 1000 == queue.state("f3").finished_ms
    assert len(group.trend) == 24
    assert sum(group.trend) == 3
    assert group.trend[:21] == (0,) * 21
    assert (second.count, second.queues, second.message, second.place) == (2, {"other": 2}, "", "elsewhere.py:f")


def test_only_the_largest_groups_are_told_of(queue: Driver) -> None:
    """However many kinds there are, and in how many queues."""
    other = Driver(queue.client, "other")
    for driver in (queue, other):
        for start in range(0, 1200, 200):
            ids = [f"j{number}" for number in range(start, start + 200)]
            driver.add(*ids)
            driver.claim(200)
            ends = [driver.ended(job, Failed(JobError(job if driver is queue else f"x{job}", ""))) for job in ids]
            driver.cycle(settle=ends)
    other.finish("more", outcome=Failed(JobError("xj1000", "again")))
    found = failures(queue.client, {"q": queue.keys, "other": other.keys})
    assert len(found) == 200
    assert (found[0].type, found[0].count, found[0].message) == ("xj1000", 2, "again")


def test_thousands_of_groups_are_not_all_looked_at(queue: Driver) -> None:
    """Types that a program makes up may be as many as failed jobs."""
    ids = [f"j{number}" for number in range(2200)]
    for start in range(0, 2200, 200):
        queue.add(*ids[start : start + 200])
        queue.claim(200)
        queue.cycle(settle=[queue.ended(job, Failed(JobError(job, ""))) for job in ids[start : start + 200]])
    assert len(groups(queue)) == 200


def test_candidates_come_from_the_index(queue: Driver) -> None:
    """By fingerprint, type or name, and only those that failed by then."""
    queue.finish("f1", "f2", outcome=Failed(ERROR))
    queue.finish("f3", outcome=Failed(OTHER_ERROR))
    queue.finish("f4", outcome=Failed(JobError("ValueError", "", "", "elsewhere")))
    queue.finish("x1", outcome=Cancelled())
    queue.age("f4", 9000)
    until_ms = queue.now_ms()

    def ids(*, until_ms: int = until_ms, **which: str) -> tuple[list[str], bool]:
        return Wanted(**which).candidates(queue.client, queue.keys, until_ms)

    assert ids() == (["f4", "f1", "f2", "f3"], True)
    assert ids(error=VALUE) == (["f1", "f2"], True)
    assert ids(error=VALUE, name="Nobody") == (["f1", "f2"], False)
    assert ids(error="ValueError") == (["f4", "f1", "f2"], True)
    assert ids(error="ValueError: no such user") == (["f4", "f1", "f2"], False)
    assert ids(error="0" * 12) == ids(error="Value") == ids(name="Nobody") == ([], True)
    assert ids(name="SendWelcomeEmail") == (["f4", "f1", "f2", "f3", "x1"], True)
    assert ids(until_ms=until_ms - 8000, error="ValueError") == (["f4"], True)
    assert ids(tag="vip") == ([], True)
    queue.add("t1", "t2", tags=["vip"])
    assert ids(tag="vip", until_ms=queue.now_ms()) == (["t1", "t2"], True)
    assert ids(tag="vip", name="SendWelcomeEmail") == (["f4", "f1", "f2", "f3", "x1"], False)
    queue.add("t3", "t4", "t5", tags=["vip"])
    assert ids(tag="vip") == (["f4", "f1", "f2", "f3"], False), "fewer have failed than have the tag"


def test_retry_takes_only_what_was_asked_for(queue: Driver) -> None:
    """A job of another state, or one that ended later, stays as it is."""
    queue.finish("f1", "f2", outcome=Failed(ERROR))
    queue.finish("x1", outcome=Cancelled())
    queue.age("f2", 9000)
    until_ms = queue.now_ms() - 8000
    assert queue.retry("f1", "f2", "x1", states="f", until_ms=until_ms) == ["-", "f", "-"]
    assert queue.retry("f1", "x1", states="f") == ["f", "-"]


def test_a_tag_lists_jobs_in_all_states(queue: Driver) -> None:
    """From dispatch until they are forgotten; each tag by itself, whatever it holds."""
    queue.add("t1", "t2", "t4", tags=["vip", "a b:{7}*é"])
    queue.add("t3", tags=["vip"], due="+60000", priority=3, lock="60000 key")
    assert indexes(queue) == {"tag:vip": {"t1", "t2", "t3", "t4"}, "tag:a b:{7}*é": {"t1", "t2", "t4"}}
    assert queue.state("t3").flags == "ug"
    queue.claim(1)
    queue.settle("t1", Failed(ERROR))
    queue.retry("t1")
    queue.cancel("t2")
    assert indexes(queue)["tag:vip"] == {"t1", "t2", "t3", "t4"}
    queue.delete("t1", "t2", "t3", "t4")
    assert indexes(queue) == {}


def test_tags_are_trimmed_with_their_jobs(queue: Driver) -> None:
    """Of completed jobs, too; of those without tags nothing is looked for."""
    queue.add("c1", "c2", tags=["vip"])
    queue.add("c3")
    for job in queue.claim(3):
        queue.settle(job, Completed())
    queue.age("c1", 60_000)
    queue.keeping(completed_ms=30_000).cycle()
    assert indexes(queue) == {"tag:vip": {"c2"}}
    queue.keeping(completed=0).cycle()
    assert indexes(queue) == {}


def test_a_job_that_exists_is_told_with_its_tags(queue: Driver) -> None:
    """By its id or its key; a remembered one has lost them."""
    queue.add("a", nonce="n1", lock="60000 key", tags=["one", "two"])
    found = queue.add("a", "b", nonce="n2", lock="60000 key", tags=["three"])
    assert [found[at].tags for at in (0, 1)] == [b"one\ntwo"] * 2
    queue.delete("a")
    assert queue.add("a", nonce="n3", tags=["three"])[0].tags == b""
    assert indexes(queue) == {}


def test_a_job_that_is_refused_has_no_tags(queue: Driver) -> None:
    """What was there keeps its own."""
    queue.add("a", tags=["one"])
    queue.add("a", tags=["two"])
    assert indexes(queue) == {"tag:one": {"a"}}
