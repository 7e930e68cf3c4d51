"""Jobs that are too old to be of use."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dramatiq import Middleware

from flask_queue import Job
from flask_queue.store.state import StateRecord
from tests.operations.claims import claim
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench

ran: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()


class SendCode(Job):
    """Of no use after a minute."""

    max_age_s = 60.0

    def handle(self, what: str) -> None:
        ran.append(what)
        if what == "fails":
            raise ValueError(what)


class Quick(Job):
    def handle(self) -> None:
        pass


def age(bench: Bench, job_id: str, by_s: float) -> None:
    """Let a job have been dispatched, and due, so much earlier."""
    store, local_id = bench.broker.store, job_id.partition(":")[2]
    keys = store.transitions.keys("default")
    text: Any = store.client.hget(keys["state"], local_id)
    state = StateRecord.parse(text)
    by_ms = round(by_s * 1000)
    due_ms = state.due_ms and state.due_ms - by_ms
    state = state._replace(created_ms=state.created_ms - by_ms, due_ms=due_ms)
    store.client.hset(keys["state"], local_id, " ".join(map(str, state)))
    store.client.zadd(keys["delayed"], {local_id: due_ms}, xx=True)


def test_a_job_that_is_too_old_fails_without_running(make_bench: MakeBench) -> None:
    """With JobExpired, at once and for good, and no attempt is spent."""
    bench = make_bench(SendCode)
    old, young = SendCode.dispatch("old").id, SendCode.dispatch("young").id
    age(bench, old, 61)
    age(bench, young, 50)
    bench.run_all()
    record = bench.queue.get(old)
    assert (record.state, record.attempts, record.max_retries) == ("failed", 0, 3)
    assert record.error is not None
    assert record.error.type == "JobExpired"
    assert "max_age_s is 60" in record.error.message
    assert [(attempt.number, attempt.outcome) for attempt in record.history] == [(1, "failed")]
    assert (ran, bench.queue.get(young).state) == (["young"], "completed")


def test_a_crash_makes_no_job_older(make_bench: MakeBench) -> None:
    """A job that was delayed for an hour and then lost its worker is as old as before."""
    bench = make_bench(SendCode)
    job_id = SendCode.options(delay_s=3600).dispatch("on time").id
    age(bench, job_id, 3600)
    claim(bench)
    bench.bury()
    bench.run_all()
    record = bench.queue.get(job_id)
    assert (ran, record.state, record.recoveries) == (["on time"], "completed", 1)


def test_the_age_of_a_delayed_job_counts_from_its_due_time(make_bench: MakeBench) -> None:
    """However long the delay was."""
    bench = make_bench(SendCode)
    on_time = SendCode.options(at=datetime.now(UTC) + timedelta(hours=1)).dispatch("on time").id
    late = SendCode.options(delay_s=10).dispatch("late").id
    age(bench, on_time, 3600 + 50)
    age(bench, late, 10 + 61)
    bench.run_all()
    assert (ran, bench.queue.get(on_time).state, bench.queue.get(late).state) == (["on time"], "completed", "failed")


def test_a_retry_counts_from_its_own_due_time(make_bench: MakeBench) -> None:
    """A back-off makes no job too old; waiting for a worker after it does."""
    bench = make_bench(SendCode, QUEUE_BACKOFF=[60])
    job_id = SendCode.dispatch("fails").id
    for attempts, older_s in ((1, 65), (2, 125)):
        with bench.working():
            wait_until(lambda: bench.queue.get(job_id).attempts == attempts)  # noqa: B023
        age(bench, job_id, older_s)
    with bench.working():
        record = bench.finished(job_id)
    assert record.error is not None
    assert (record.attempts, ran, record.error.type) == (2, ["fails"] * 2, "JobExpired")


def test_jobs_that_were_taken_ahead_are_looked_at_too(make_bench: MakeBench) -> None:
    """Age is measured by Redis's clock when the worker takes the job, also where no thread is idle."""
    bench = make_bench(SendCode, Quick)
    Quick.dispatch_many([{}] * 300)
    old = SendCode.dispatch_many([{"what": "old"}] * 40)
    for record in old:
        age(bench, record.id, 61)
    bench.run_all()
    assert {bench.queue.get(record.id).state for record in old} == {"failed"}
    assert ran == []


def test_middleware_sees_a_job_that_is_skipped(make_bench: MakeBench) -> None:
    """As with Dramatiq's own AgeLimit: the message is marked as failed, and nothing is processed."""
    seen: list[tuple[str, bool]] = []

    class Spy(Middleware):
        def after_skip_message(self, broker: Any, message: Any) -> None:
            seen.append(("skipped", message.failed))

        def after_process_message(
            self, broker: Any, message: Any, *, result: Any = None, exception: Any = None
        ) -> None:
            seen.append(("processed", message.failed))

        def after_nack(self, broker: Any, message: Any) -> None:
            seen.append(("nack", message.failed))

    bench = make_bench(SendCode, middleware=[Spy])
    age(bench, SendCode.dispatch("old").id, 61)
    bench.run_all()
    assert seen == [("skipped", True), ("nack", True)]


def test_an_operators_retry_does_not_make_a_job_younger(make_bench: MakeBench) -> None:
    """It is still of no use; a new dispatch is what helps."""
    bench = make_bench(SendCode)
    job_id = SendCode.dispatch("old").id
    age(bench, job_id, 61)
    bench.run_all()
    bench.queue.retry(job_id)
    bench.run_all()
    record = bench.queue.get(job_id)
    assert (record.state, record.attempts, [attempt.number for attempt in record.history]) == ("failed", 0, [1, 2])


def test_age_is_looked_at_quickly_on_real_time(make_bench: MakeBench) -> None:
    """A fraction of a second is a limit like any other."""

    class Brief(SendCode):
        max_age_s = 0.05

    bench = make_bench(Brief)
    job_id = Brief.dispatch("old").id
    started_s = time.monotonic()
    wait_until(lambda: time.monotonic() - started_s > 0.06)
    bench.run_all()
    assert (bench.queue.get(job_id).state, ran) == ("failed", [])
