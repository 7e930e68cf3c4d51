"""Unique locks: who has them, for how long, and what frees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, GivenBack, Released, Retried
from flask_queue.store.transitions import NewEntry
from tests.store.checks import check_queue
from tests.store.driver import DAY_MS, ERROR, MESSAGE, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome

HOUR_MS = 3_600_000
ENDS = [Completed(), Failed(ERROR), Cancelled()]
GOES_ON = [Retried(0, ERROR), Retried(9000, ERROR), Released(), Released(9000), GivenBack()]
each_end = pytest.mark.parametrize("outcome", ENDS, ids=lambda outcome: type(outcome).__name__)


def add(queue: Driver, local_id: str, *, key: str = "k", for_ms: int = HOUR_MS, due: str = "", nonce: str = "-") -> str:
    """Store a unique job; return the id of the job that is there then."""
    entry = NewEntry(local_id, MESSAGE, due, nonce=nonce, lock=f"{for_ms} {key}")
    existing = queue.transitions.enqueue(queue.client, queue.queue, [entry])[1]
    return existing[0].local_id if existing else local_id


def locks(queue: Driver) -> dict[str, str]:
    """Key → the id that has it."""
    found = queue.client.hgetall(queue.keys["unique"])
    return {key.decode(): text.split()[0].decode() for key, text in found.items()}


def run_out(queue: Driver, key: str = "k") -> None:
    """Let a lock's time be over."""
    local_id = locks(queue)[key]
    queue.client.hset(queue.keys["unique"], key, f"{local_id} {queue.now_ms()}")


@pytest.mark.parametrize("due", ["", "+60000"])
def test_a_second_job_with_the_key_is_not_stored(queue: Driver, due: str) -> None:
    """Its dispatch gets the record of the first, whole, waiting or delayed."""
    add(queue, "a", due=due)
    queue.progress("a", 1, 2)
    entries = [NewEntry("x", MESSAGE), NewEntry("b", b"Other\n{}", lock=f"{HOUR_MS} k")]
    existing = queue.transitions.enqueue(queue.client, queue.queue, entries)[1]
    assert [(position, job.local_id) for position, job in existing.items()] == [(1, "a")]
    assert (existing[1].state, existing[1].message, existing[1].progress) == (queue.state("a"), MESSAGE, b"1 2")
    assert not queue.exists("b")


def test_other_keys_and_queues_are_free(queue: Driver) -> None:
    """A lock is of its queue and key; a job without one is never refused."""
    add(queue, "a")
    assert [add(queue, "b", key="k2"), add(Driver(queue.client, "other"), "c"), queue.add("d")] == ["b", "c", {}]


def test_a_running_job_has_its_lock(queue: Driver) -> None:
    """Until it is settled."""
    add(queue, "a")
    queue.claim()
    assert add(queue, "b") == "a"


@pytest.mark.parametrize("outcome", GOES_ON, ids=repr)
def test_a_job_that_runs_again_keeps_its_lock(queue: Driver, outcome: Outcome) -> None:
    """A retry, a release and a shutdown settle nothing for good."""
    add(queue, "a")
    queue.claim()
    queue.settle("a", outcome)
    assert add(queue, "b") == "a"


@each_end
def test_the_lock_goes_with_the_job(queue: Driver, outcome: Outcome) -> None:
    """However it ends, in the call that settles it."""
    add(queue, "a")
    queue.claim()
    queue.settle("a", outcome)
    assert locks(queue) == {}
    assert add(queue, "b") == "b"


@pytest.mark.parametrize("due", ["", "+60000"])
@pytest.mark.parametrize("action", ["cancel", "delete"])
def test_an_operator_takes_the_lock_with_the_job(queue: Driver, action: str, due: str) -> None:
    """Cancelled or deleted, waiting or delayed; the lock of a later job stays."""
    add(queue, "a", due=due)
    getattr(queue, action)("a")
    assert (locks(queue), add(queue, "b", due=due)) == ({}, "b")
    run_out(queue)
    add(queue, "c")
    getattr(queue, action)("b")
    assert locks(queue) == {"k": "c"}
    queue.delete("a", "b")
    assert [key.decode() for key in queue.client.hkeys(queue.keys["unique_of"])] == ["c"]


def test_a_job_that_is_asked_to_stop_has_its_lock_until_it_ends(queue: Driver) -> None:
    """It runs still; if its worker dies, it is cancelled, and the key is free."""
    add(queue, "a")
    queue.claim()
    queue.cancel("a")
    assert add(queue, "b") == "a"
    queue.silence("w1")
    queue.reap()
    assert (queue.state("a").state, add(queue, "b")) == ("x", "b")


def test_a_lost_job_gives_its_lock_back(queue: Driver) -> None:
    """A dead worker's job keeps it while it runs again, and frees it when it is given up."""
    add(queue, "a")
    for max_recoveries, holder in ((3, "a"), (0, "b")):
        queue.claim(1, "w1")
        queue.silence("w1")
        queue.reap(max_recoveries=max_recoveries)
        assert add(queue, "b") == holder


def test_a_job_without_payload_gives_its_lock_back(queue: Driver) -> None:
    """It fails in the claim."""
    add(queue, "a")
    queue.client.hdel(queue.keys["jobs"], "a")
    queue.claim()
    assert add(queue, "b") == "b"


def test_a_lock_runs_out(queue: Driver) -> None:
    """After its time by Redis's clock another job is stored, whatever the first one does."""
    before_ms = queue.now_ms()
    add(queue, "a", for_ms=5000)
    until_ms = int(queue.client.hget(queue.keys["unique"], "k").split()[1])
    assert before_ms + 5000 <= until_ms <= queue.now_ms() + 5000
    queue.claim()
    run_out(queue)
    assert add(queue, "b") == "b"


@each_end
def test_a_late_end_frees_only_its_own_lock(queue: Driver, outcome: Outcome) -> None:
    """A job whose lock ran out ends while another one has the key: that one keeps it."""
    add(queue, "a")
    queue.claim()
    run_out(queue)
    add(queue, "b")
    queue.settle("a", outcome)
    assert (locks(queue), add(queue, "c")) == ({"k": "b"}, "b")


def test_a_repeat_of_the_same_call_counts_as_stored(queue: Driver) -> None:
    """A caller that re-sends what it had not heard of meets its own lock, and is not told of a duplicate."""
    for _ in range(2):
        entry = NewEntry("a", MESSAGE, nonce="n1", lock=f"{HOUR_MS} k")
        assert queue.transitions.enqueue(queue.client, queue.queue, [entry])[1] == {}
    assert queue.claim(5) == ["a"]


def test_a_repeat_of_a_refused_call_is_refused_alike(queue: Driver) -> None:
    """The same job is named again."""
    add(queue, "a", nonce="n1")
    assert [add(queue, "b", nonce="n2"), add(queue, "b", nonce="n2")] == ["a", "a"]


def test_an_id_wins_over_a_key(queue: Driver) -> None:
    """A dispatch with both gets the job of its id where that exists, even a settled one, else that of its key."""
    add(queue, "a", nonce="n1")
    assert add(queue, "b", nonce="n2") == "a"
    assert add(queue, "a", key="free", nonce="n3") == "a"
    queue.claim()
    queue.settle("a", Completed())
    assert add(queue, "a", nonce="n4") == "a"
    assert add(queue, "b", nonce="n5") == "b"
    assert add(queue, "a", nonce="n6") == "a", "the id is remembered, though another job has the key"
    assert locks(queue) == {"k": "b"}


def test_equal_keys_in_one_call(queue: Driver) -> None:
    """The first is stored, the others get its record."""
    entries = [NewEntry(local_id, MESSAGE, lock=f"{HOUR_MS} {key}") for local_id, key in ("ak", "bk", "cx", "dk")]
    existing = queue.transitions.enqueue(queue.client, queue.queue, entries)[1]
    assert {position: job.local_id for position, job in existing.items()} == {1: "a", 3: "a"}


@pytest.mark.parametrize("outcome", [Failed(ERROR), Cancelled()])
def test_an_operators_retry_takes_the_lock_again(queue: Driver, outcome: Outcome) -> None:
    """For as long as its dispatch asked for."""
    add(queue, "a", for_ms=5000)
    queue.claim()
    queue.settle("a", outcome)
    before_ms = queue.now_ms()
    assert queue.retry("a") in (["f"], ["x"])
    until_ms = int(queue.client.hget(queue.keys["unique"], "k").split()[1])
    assert before_ms + 5000 <= until_ms <= queue.now_ms() + 5000
    assert add(queue, "b") == "a"
    queue.claim()
    queue.settle("a", Completed())
    assert locks(queue) == {}


def test_a_retry_is_refused_while_another_job_has_the_key(queue: Driver) -> None:
    """Nothing changes for either, until the other job is settled or its lock runs out."""
    add(queue, "a")
    queue.claim()
    queue.settle("a", Failed(ERROR))
    add(queue, "b")
    before = queue.state("a")
    assert queue.retry("a") == ["u"]
    assert (queue.state("a"), locks(queue)) == (before, {"k": "b"})
    run_out(queue)
    assert (queue.retry("a"), locks(queue)) == (["f"], {"k": "a"})


def test_of_two_equal_jobs_one_is_retried(queue: Driver) -> None:
    """Also in one call."""
    for local_id in "ab":
        add(queue, local_id)
        queue.claim()
        queue.settle(local_id, Failed(ERROR))
    assert queue.retry("a", "b") == ["f", "u"]


@each_end
def test_nothing_is_left_of_a_trimmed_job(queue: Driver, outcome: Outcome) -> None:
    """Neither lock nor key, and the lock of a later job stays."""
    queue = queue.keeping(completed=0, failed=0)
    add(queue, "a")
    queue.claim()
    run_out(queue)
    add(queue, "b")
    queue.settle("a", outcome)
    assert (queue.traces("a"), locks(queue)) == (set(), {"k": "b"})
    assert [key.decode() for key in queue.client.hkeys(queue.keys["unique_of"])] == ["b"]
    queue.claim()
    queue.settle("b", outcome)
    assert not queue.client.exists(queue.keys["unique"], queue.keys["unique_of"])


def test_a_lock_does_not_outlive_a_record_deleted_by_hand(queue: Driver) -> None:
    """A holder that is gone, or settled, holds nobody up."""
    add(queue, "a")
    queue.claim()
    queue.client.hdel(queue.keys["state"], "a")
    assert add(queue, "b") == "b"
    queue.client.srem(queue.keys["active:w1"], "a")
    queue.client.hdel(queue.keys["jobs"], "a")
    queue.client.hdel(queue.keys["unique_of"], "a")


def test_jobs_without_a_key_cost_nothing(queue: Driver) -> None:
    """No key of theirs is read or written."""
    queue.finish("a", "b", outcome=Failed(ERROR))
    queue.finish("c", "d")
    queue.age("c", DAY_MS + 1)
    queue.cycle()
    assert not queue.client.exists(queue.keys["unique"], queue.keys["unique_of"])
    assert queue.state("a").flags == "-"
    check_queue(queue.client, queue.keys)
