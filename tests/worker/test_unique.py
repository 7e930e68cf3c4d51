"""Unique jobs, from dispatch to their end."""

from __future__ import annotations

from typing import Any

import pytest

from flask_queue import Fail, Job, JobStateError, Queue
from flask_queue.batches import NewJob
from flask_queue.store.transitions import NewEntry
from tests.store.checks import check_queue
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench


class SyncAccount(Job):
    """One at a time for each account; waits until it may end."""

    unique_for_s = 60
    max_retries = 0
    may_end = False

    @staticmethod
    def unique_by(account_id: int, **_: Any) -> str:
        return str(account_id)

    def handle(self, account_id: int, *, full: bool = False) -> str:
        wait_until(lambda: type(self).may_end, 20)
        if account_id == 13:
            raise Fail("no such account")
        return f"{account_id} {full}"


class Chain(Job):
    """Dispatches itself while it runs."""

    unique_for_s = 60

    def handle(self) -> str:
        record = Chain.dispatch()
        return f"{record.id == self.job_id} {record.deduplicated} {record.state}"


class Report(Job):
    """Unique only where its dispatch says so."""

    def handle(self, month: str) -> None:
        pass


@pytest.fixture(autouse=True)
def _fresh() -> None:
    SyncAccount.may_end = True


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench(SyncAccount, Chain, Report, queues=[Queue("default"), Queue("other")])


def check(bench: Bench) -> None:
    check_queue(bench.broker.store.client, bench.broker.store.transitions.keys("default"))


def test_a_second_dispatch_returns_the_first_job(bench: Bench) -> None:
    """While the first waits or runs; its own payload, id and progress, marked as deduplicated."""
    first = SyncAccount.dispatch(7)
    second = SyncAccount.dispatch(7, full=True)
    assert (second.id, second.payload, first.deduplicated, second.deduplicated) == (
        *(first.id, {"account_id": 7, "full": False}, False, True),
    )
    assert not SyncAccount.dispatch(8).deduplicated
    SyncAccount.may_end = False
    with bench.working():
        wait_until(lambda: bench.queue.get(first.id).state == "active")
        assert (SyncAccount.dispatch(7).id, SyncAccount.dispatch(7).state) == (first.id, "active")
        SyncAccount.may_end = True
        bench.finished(first.id)
        assert not SyncAccount.dispatch(7).deduplicated
    check(bench)


def test_many_are_unique_among_themselves(bench: Bench) -> None:
    """Each record is that of the job which will do the work, in the order of the payloads."""
    records = SyncAccount.dispatch_many([{"account_id": number % 3} for number in range(300)])
    assert [record.id for record in records] == [records[number % 3].id for number in range(300)]
    assert [record.deduplicated for record in records] == [number > 2 for number in range(300)]
    assert bench.queue.counts()["default"]["waiting"] == 3


def test_a_job_that_runs_has_its_key(bench: Bench) -> None:
    """A job that dispatches itself gets its own record: it is not over yet."""
    job_id = Chain.dispatch().id
    bench.run_all()
    assert bench.queue.get(job_id).result == "True True active"


def test_queues_names_and_keys_are_apart(bench: Bench) -> None:
    """The same key in another queue, or of another job, is another one."""
    unique = {"unique_key": "7", "unique_for_s": 60.0}
    records = [
        SyncAccount.dispatch(7),
        SyncAccount.options(queue_name="other").dispatch(7),
        Report.options(unique_key="7", unique_for_s=60).dispatch("May"),
        Report.dispatch("May"),
        Report.dispatch("May"),
    ]
    assert not any(record.deduplicated for record in records), unique
    assert Report.options(unique_key="7", unique_for_s=1).dispatch("June").id == records[2].id


def test_a_job_id_wins_over_the_key(bench: Bench) -> None:
    """With both, the job of that id is returned where there is one, else that of the key, and the id is not taken."""
    first = SyncAccount.options(job_id="a").dispatch(7)
    assert SyncAccount.options(job_id="b").dispatch(7).id == first.id
    assert SyncAccount.options(job_id="a").dispatch(8).id == first.id
    bench.run_all()
    assert SyncAccount.options(job_id="b").dispatch(7).id == "default:b"


def test_time_ends_a_lock(bench: Bench) -> None:
    """After unique_for_s the next is stored, though the first one waits still; each has its own lock."""
    first = SyncAccount.options(unique_for_s=0.05).dispatch(7)
    second = wait_until(lambda: None if (found := SyncAccount.dispatch(7)).deduplicated else found)
    assert second is not None
    assert second.id != first.id
    assert SyncAccount.dispatch(7).id == second.id
    bench.run_all()
    assert {bench.queue.get(record.id).state for record in (first, second)} == {"completed"}
    check(bench)


def test_an_operators_retry_takes_the_key_or_is_refused(bench: Bench) -> None:
    """Refused while another job has it, as two would run; afterwards the retried one has it."""
    failed = SyncAccount.dispatch(13)
    bench.run_all()
    other = SyncAccount.dispatch(13)
    with pytest.raises(
        JobStateError, match=r"is kept back, as another job has its unique key until it is settled\.$"
    ) as caught:
        bench.queue.retry(failed.id)
    assert caught.value.job_id == failed.id
    assert bench.queue.retry_all() == 0
    bench.run_all()
    assert bench.queue.retry(failed.id).state == "waiting"
    assert SyncAccount.dispatch(13).id == failed.id
    with pytest.raises(JobStateError):
        bench.queue.retry(other.id)


def test_a_call_that_is_sent_again_is_no_duplicate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection broke after the job was stored: the caller gets its own job, and is not told of a duplicate."""
    store = bench.broker.store.transitions.enqueue

    def twice(client: Any, queue: str, entries: list[NewEntry]) -> Any:
        store(client, queue, entries)
        return store(client, queue, entries)

    monkeypatch.setattr(bench.broker.store.transitions, "enqueue", twice)
    for record in (SyncAccount.dispatch(7), SyncAccount.options(job_id="a").dispatch(8), Report.dispatch("May")):
        assert (record.deduplicated, record.state) == (False, "waiting")
    assert bench.queue.counts()["default"]["waiting"] == 3
    assert SyncAccount.dispatch(7).deduplicated


def test_messages_of_dramatiq_are_not_unique(bench: Bench) -> None:
    """What is sent as a message, not dispatched as a job, has no key."""
    message = bench.broker.get_actor("SyncAccount").message(account_id=7)
    records = bench.broker.dispatch([NewJob(message), NewJob(message.copy(message_id="other"))])
    assert len({record.id for record in records}) == 2
