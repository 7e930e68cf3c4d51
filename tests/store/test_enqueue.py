"""Storing jobs: what is stored, and when an id is refused."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed
from flask_queue.store.transitions import BATCH, NewEntry
from tests.store.checks import check_queue
from tests.store.driver import ERROR, MESSAGE, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome


def test_a_new_job_waits(queue: Driver) -> None:
    """A job without a due time is waiting, unspent, with its payload, stored at Redis's time."""
    before_ms = queue.now_ms()
    assert queue.add("a", priority=3) == {}
    state = queue.state("a")
    assert before_ms <= state.created_ms <= queue.now_ms()
    assert (state.state, state.attempts, state.number, state.recoveries) == ("w", 0, 0, 0)
    assert (state.priority, state.due_ms, state.started_ms, state.finished_ms) == (3, 0, 0, 0)
    assert (state.worker, state.result) == ("-", "")
    assert queue.client.hget(queue.keys["jobs"], "a") == MESSAGE


def test_the_reply_says_redis_time(queue: Driver) -> None:
    """The caller learns when the job was stored by the only clock that counts."""
    now_ms, existing = queue.transitions.enqueue(queue.client, "q", [NewEntry("a", MESSAGE)])
    assert (now_ms, existing) == (queue.state("a").created_ms, {})


def test_a_plain_job_is_stored_as_any_other(queue: Driver) -> None:
    """It has a way of its own through the script, but for the first of a minute: nothing that it leaves tells which."""
    dumps = []
    if 60_000 - queue.now_ms() % 60_000 < 500:
        # Let the minute pass that is about to end.
        time.sleep(0.5)
    for names in (["a", "b"], ["a"]):
        queue.client.flushdb()
        queue.add("first")
        queue.add(*names)
        for name in {"a", "b"}.difference(names):
            queue.add(name)
        states = [queue.state(each)._replace(created_ms=0) for each in ("first", "a", "b")]
        counts = {
            name: int(count) for name, count in queue.client.hgetall(queue.keys["minute"]).items() if name != b"at"
        }
        jobs = queue.client.hgetall(queue.keys["jobs"])
        order, wake = queue.client.lrange(queue.keys["waiting"], 0, -1), queue.client.zrange(queue.keys["wake"], 0, -1)
        dumps.append((states, counts, jobs, order, wake, sorted(queue.client.keys())))
    assert dumps[0] == dumps[1]
    check_queue(queue.client, queue.keys)


def test_a_plain_job_that_is_sent_again_is_stored_once(queue: Driver) -> None:
    """The caller did not hear of the first; also beside others, and in any state."""
    assert queue.add("first") == queue.add("a", "b") == queue.add("c") == {}
    assert queue.claim() == ["first"]
    for local_id in ("first", "a", "c"):
        before = queue.state(local_id)
        assert [job.local_id for job in queue.add(local_id).values()] == [local_id]
        assert queue.state(local_id) == before
    assert queue.claim(9) == ["a", "b", "c"]
    check_queue(queue.client, queue.keys)


def test_a_relative_delay_counts_from_redis_time(queue: Driver) -> None:
    """`+ms` is added to Redis's clock, not the caller's."""
    queue.add("a", due="+60000")
    state = queue.state("a")
    assert (state.state, state.due_ms) == ("d", state.created_ms + 60_000)
    assert queue.client.zscore(queue.keys["delayed"], "a") == state.due_ms


def test_an_absolute_time_is_kept(queue: Driver) -> None:
    """A Unix time in milliseconds is when the job becomes due, however far away."""
    for local_id, due_ms in {"soon": queue.now_ms() + 5000, "year-9999": 253_402_300_799_000}.items():
        queue.add(local_id, due=str(due_ms))
        assert (queue.state(local_id).state, queue.state(local_id).due_ms) == ("d", due_ms)


@pytest.mark.parametrize("due", ["+0", "0", "1", "1500000000000"])
def test_a_time_that_has_passed_means_now(queue: Driver, due: str) -> None:
    """A due time in the past makes a job that waits."""
    queue.add("a", due=due)
    assert (queue.state("a").state, queue.state("a").due_ms) == ("w", 0)
    assert queue.claim() == ["a"]


def test_an_id_that_exists_is_refused(queue: Driver) -> None:
    """The same id under another nonce changes nothing and returns what is there, in any state."""
    queue.add("a", nonce="n1")
    queue.add("b", "c", nonce="n1", due="+60000")
    queue.log("b", "line")
    queue.progress("b", 1, 2)
    before = queue.state("b")
    existing = queue.add("x", "b", "a", nonce="n2", priority=5, message=b"Other\n{}")
    assert sorted(existing) == [1, 2]
    assert (existing[1].state, existing[1].name, existing[1].message) == (before, "SendWelcomeEmail", MESSAGE)
    assert (existing[1].local_id, existing[1].progress, existing[2].progress) == ("b", b"1 2", b"")
    assert queue.state("b") == before


@pytest.mark.parametrize("outcome", [Completed('"done"'), Failed(ERROR), Cancelled()])
def test_the_id_of_a_finished_job_is_refused(queue: Driver, outcome: Outcome) -> None:
    """An id stays taken as long as its record is kept, and its record tells how the job ended."""
    queue.add("a", nonce="n1")
    queue.claim()
    queue.settle("a", outcome)
    [existing] = queue.add("a", nonce="n2").values()
    assert existing.state == queue.state("a")
    assert existing.state.state in "cfx"
    assert existing.attempts == (queue.client.hget(queue.keys["attempts"], "a") or b"")
    assert queue.claim() == []


def test_a_repeat_of_the_same_call_counts_as_stored(queue: Driver) -> None:
    """The caller that re-sends what it had not heard of (same nonce) gets no duplicate, and is not told of one."""
    queue.add("a", nonce="n1")
    assert queue.add("a", nonce="n1") == {}
    assert queue.claim(5) == ["a"]
    assert queue.add("a", nonce="n1") == {}
    assert queue.claim(5) == []


def test_a_repeat_with_a_generated_id_stores_nothing(queue: Driver) -> None:
    """Ids that we made carry no nonce: a repeat is reported, and the caller knows that it is its own."""
    queue.add("a")
    assert list(queue.add("a", "b")) == [0]
    assert queue.claim(5) == ["a", "b"]


def test_an_id_twice_in_one_call_is_one_job(queue: Driver) -> None:
    """The second of two equal ids in a call finds the first; under another nonce it is told so."""
    entries = [NewEntry("a", MESSAGE, nonce="n1"), NewEntry("a", b"Other\n{}", nonce="n2")]
    existing = queue.transitions.enqueue(queue.client, "q", entries)[1]
    assert [existing[1].name, len(existing)] == ["SendWelcomeEmail", 1]
    assert queue.claim(5) == ["a"]


@pytest.mark.parametrize("outcome", [Completed('"done"'), Failed(ERROR), Cancelled()])
def test_a_chosen_id_is_remembered_after_its_record(queue: Driver, outcome: Outcome) -> None:
    """Beyond retention, a chosen id stays refused until an hour after its dispatch, with its last state and name."""
    queue = queue.keeping(completed=0, failed=0)
    queue.add("a", nonce="n1")
    queue.claim()
    ended = queue.ended("a", outcome)
    queue.cycle(settle=[ended])
    assert queue.traces("a") == {"id:a"}
    assert 3_590_000 < queue.client.pttl(queue.keys["id:a"]) <= 3_600_000
    [existing] = queue.add("a", nonce="n2").values()
    assert (existing.name, existing.state.number, existing.state.state in "cfx") == ("SendWelcomeEmail", 1, True)
    assert existing.message == b"SendWelcomeEmail"
    assert queue.add("a", nonce="n1") == {}, "a repeat of the call that stored it"
    assert queue.traces("a") == {"id:a"}


def test_the_memory_of_an_id_ends(queue: Driver) -> None:
    """When Redis has dropped the memory, the id is free again."""
    queue = queue.keeping(completed=0)
    queue.add("a", nonce="n1")
    queue.claim()
    queue.settle("a", Completed())
    queue.client.pexpire(queue.keys["id:a"], 0)
    assert queue.add("a", nonce="n2") == {}
    assert queue.state("a").number == 0


def test_a_job_older_than_the_memory_leaves_none(queue: Driver) -> None:
    """The hour counts from the dispatch: a job that outlived it leaves no trace."""
    queue.add("a", nonce="n1")
    queue.claim()
    queue.settle("a", Completed())
    queue.age("a", 3_600_001)
    queue.keeping(completed=0).cycle()
    assert queue.traces("a") == set()


def test_a_generated_id_is_not_remembered(queue: Driver) -> None:
    """Nobody can repeat an id that was ours, so it costs no memory after its record."""
    queue.keeping(completed=0).finish("a")
    assert queue.traces("a") == set()


def test_a_remembered_job_without_payload_has_no_name(queue: Driver) -> None:
    """Where the payload was lost, the memory has an empty name rather than a wrong one."""
    queue.add("a", nonce="n1")
    queue.claim()
    queue.client.hdel(queue.keys["jobs"], "a")
    queue.settle("a", Failed(ERROR))
    queue.keeping(failed=0).cycle()
    [existing] = queue.add("a", nonce="n2").values()
    assert (existing.name, existing.message) == ("", b"")


@pytest.mark.parametrize("local_id", ["*", "a?c", "[a]", "%d", "-", ".", "x" * 128])
def test_ids_are_taken_literally(queue: Driver, local_id: str) -> None:
    """No character of an id means anything to a script, on its whole way."""
    queue = queue.keeping(completed=0)
    queue.add("abc", nonce="n")
    queue.add(local_id, nonce="n", priority=1)
    assert queue.claim() == [local_id]
    queue.log(local_id, "line")
    queue.progress(local_id, 1, 2)
    queue.settle(local_id, Completed())
    assert queue.traces(local_id) == {f"id:{local_id}"}
    assert queue.traces("abc") == {"jobs", "state", "waiting"}


def test_a_whole_batch_goes_in_one_call(queue: Driver) -> None:
    """The most that a call takes is stored, in order, and refused as one."""
    ids = [f"j{index}" for index in range(BATCH)]
    assert queue.add(*ids, nonce="n1") == {}
    assert len(queue.add(*ids, nonce="n2")) == BATCH
    assert queue.claim(BATCH) == ids
    assert +check_queue(queue.client, queue.keys) == Counter(active=BATCH)


@pytest.mark.parametrize("message", [b"", b"\n", b"x\n\x00\xff \r\n{}", b"n\n" + b"p" * 2_000_000])
def test_messages_are_kept_byte_for_byte(queue: Driver, message: bytes) -> None:
    """Whatever the message is, the worker gets it as it was."""
    queue.add("a", message=message)
    [job] = queue.cycle(want=1).claimed
    assert job.message == message


def test_queues_do_not_share_ids(queue: Driver) -> None:
    """An id is unique in its queue, not beyond."""
    other = Driver(queue.client, "other")
    queue.add("a", nonce="n1")
    assert other.add("a", nonce="n2") == {}
    assert (queue.claim(5), other.claim(5)) == (["a"], ["a"])
