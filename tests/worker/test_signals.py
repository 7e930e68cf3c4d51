"""Which signals are sent, when, and by whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from blinker import NamedSignal
from flask import Flask, current_app

from flask_queue import (
    FlaskQueue,
    Job,
    JobRecord,
    JobState,
    QueueUnavailable,
    Release,
    WorkerInfo,
    WorkerLost,
    signals,
)
from flask_queue.bulk import Bulk
from flask_queue.store.transitions import CycleRequest
from flask_queue.worker import announcer
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench

gate = threading.Event()
begun = threading.Event()


class Works(Job):
    max_retries = 1
    backoff = (0.01,)

    @staticmethod
    def tags(what: str) -> list[str]:
        return [f"what:{what}"]

    def handle(self, what: str) -> str:
        if what == "fails":
            raise ValueError("on purpose")
        if what == "releases" and self.record.history == ():
            raise Release
        return what.upper()


class Waits(Job):
    """Runs until the gate is opened, or it is cancelled."""

    max_retries = 5

    def handle(self, *, fails: bool = False) -> None:
        begun.set()
        wait_until(lambda: gate.is_set() or self.cancelled, 20, what="the gate is open")
        if fails or self.cancelled:
            raise RuntimeError("stops")


class Heard(list[tuple[str, JobRecord]]):
    """What was sent, in order."""

    def names(self) -> list[str]:
        return [name for name, _ in self]

    def of(self, name: str) -> list[JobRecord]:
        return [record for heard, record in self if heard == name]


OF_JOBS = [name for name in signals.__all__ if name.startswith("job_")]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """All signals of jobs; each receiver checks where it is called."""
    found = Heard()

    def listen(name: str) -> Callable[..., None]:
        def receive(app: Flask, record: JobRecord) -> None:
            assert current_app._get_current_object() is app  # type: ignore[attr-defined]
            found.append((name, record))

        return receive

    gate.clear()
    begun.clear()
    with ExitStack() as connected:
        for name in OF_JOBS:
            connected.enter_context(getattr(signals, name).connected_to(listen(name)))
        yield found
        gate.set()


def test_a_job_that_completes(make_bench: MakeBench, heard: Heard) -> None:
    """Dispatched, started, completed; each with the record of that moment."""
    bench = make_bench(Works)
    dispatched = Works.dispatch("works")
    assert heard == [("job_dispatched", dispatched)]
    bench.run_all()
    assert heard.names() == ["job_dispatched", "job_started", "job_completed"]
    started, completed = heard.of("job_started")[0], heard.of("job_completed")[0]
    assert (started.state, started.attempts, started.payload) == (JobState.ACTIVE, 0, {"what": "works"})
    assert (started.started_at is not None, started.finished_at, started.tags) == (True, None, ("what:works",))
    assert completed == bench.queue.get(dispatched.id)


def test_a_job_that_fails(make_bench: MakeBench, heard: Heard) -> None:
    """One signal for each run; the record of an end has that run alone."""
    bench = make_bench(Works)
    job_id = Works.dispatch("fails").id
    bench.run_all()
    wait_until(lambda: heard.of("job_failed"))
    assert heard.names()[1:] == ["job_started", "job_retried", "job_started", "job_failed"]
    retried, failed = heard.of("job_retried")[0], heard.of("job_failed")[0]
    assert (retried.state, retried.attempts, retried.finished_at) == (JobState.DELAYED, 1, None)
    assert retried.scheduled_at is not None
    assert retried.error is not None
    assert retried.error.message == "on purpose"
    stored = bench.queue.get(job_id)
    assert failed.history == stored.history[1:]
    assert replace(failed, history=()) == replace(stored, history=())


def test_the_wait_of_a_job_that_an_operator_retried_is_not_known(make_bench: MakeBench, heard: Heard) -> None:
    """To a signal as little as to its record."""
    bench = make_bench(Works)
    job_id = Works.dispatch("fails").id
    bench.run_all()
    bench.queue.retry(job_id)
    bench.run_all()
    wait_until(lambda: len(heard.of("job_failed")) == 2)
    waits = [record.wait_ms is not None for record in heard.of("job_started")]
    assert waits == [True, True, False, True], "the run after that knows when it was due"


def test_a_release_is_no_end(make_bench: MakeBench, heard: Heard) -> None:
    """It starts again."""
    bench = make_bench(Works)
    Works.dispatch("releases")
    bench.run_all()
    assert heard.names()[1:] == ["job_started", "job_started", "job_completed"]


def test_a_deduplicated_dispatch_is_none(make_bench: MakeBench, heard: Heard) -> None:
    """Nothing was stored."""
    make_bench(Works)
    Works.options(job_id="a").dispatch("works")
    assert Works.options(job_id="a").dispatch("works").deduplicated
    assert heard.names() == ["job_dispatched"]
    Works.dispatch_many([{"what": "1"}, {"what": "2"}])
    assert [record.payload for record in heard.of("job_dispatched")[1:]] == [{"what": "1"}, {"what": "2"}]


def test_what_could_not_be_dispatched(make_bench: MakeBench, heard: Heard) -> None:
    """With the reason, for each of the jobs that may not have been stored; the caller gets the error as ever."""
    make_bench(Works, url="redis://127.0.0.1:1", QUEUE_DISPATCH_TIMEOUT_S=0.2)
    with pytest.raises(QueueUnavailable) as raised:
        Works.options(delay_s=5).dispatch_many([{"what": "1"}, {"what": "2"}], job_ids=["a", "b"])
    assert heard.names() == ["job_dispatch_failed"] * 2
    records = heard.of("job_dispatch_failed")
    assert [(record.id, record.payload) for record in records] == [
        ("default:a", {"what": "1"}),
        ("default:b", {"what": "2"}),
    ]
    assert records[0].error is not None
    assert (records[0].error.type, records[0].error.message) == ("QueueUnavailable", str(raised.value))


def test_cancelling_a_job_that_waits(make_bench: MakeBench, heard: Heard) -> None:
    """Told by the process that cancels it, once, also where many are cancelled."""
    bench = make_bench(Works)
    ids = [Works.dispatch("works").id for _ in range(3)]
    bench.queue.cancel(ids[0])
    bench.queue.cancel(ids[0])
    assert [record.id for record in heard.of("job_cancelled")] == ids[:1]
    Bulk(bench.broker).apply_to("cancel", ids)
    assert sorted(record.id for record in heard.of("job_cancelled")) == sorted(ids)
    assert {record.state for record in heard.of("job_cancelled")} == {JobState.CANCELLED}


def test_cancelling_a_job_that_runs(make_bench: MakeBench, heard: Heard) -> None:
    """Told by its worker, once it has stopped."""
    bench = make_bench(Waits)
    job_id = Waits.dispatch().id
    with bench.working():
        assert begun.wait(10)
        bench.queue.cancel(job_id)
        assert heard.of("job_cancelled") == []
        bench.reaches(job_id, JobState.CANCELLED)
        (record,) = wait_until(lambda: heard.of("job_cancelled"))
    assert (record.id, record.state, record.history[0].outcome) == (job_id, JobState.CANCELLED, "cancelled")


def test_a_run_that_fails_just_when_its_job_is_cancelled_is_no_retry(make_bench: MakeBench, heard: Heard) -> None:
    """What Redis made of its end counts, not what the worker wanted to."""
    bench = make_bench(Waits)
    job_id = Waits.dispatch(fails=True).id
    with bench.working():
        assert begun.wait(10)
        # Asked to stop by Redis alone: the worker has not heard of it when the run ends.
        keys = bench.broker.store.transitions.keys("default")
        bench.broker.store.client.sadd(keys["cancelling"], job_id.partition(":")[2])
        gate.set()
        wait_until(lambda: len(heard) == 3)
    assert heard.names()[-1] == "job_cancelled"
    assert bench.queue.get(job_id).state is JobState.CANCELLED


def test_a_late_end_is_not_told(make_bench: MakeBench, heard: Heard) -> None:
    """A worker that was taken for dead must not tell of an end that changed nothing: another has the job."""
    bench = make_bench(Waits)
    job_id = Waits.dispatch().id
    with bench.working():
        assert begun.wait(10)
        bench.bury()
        assert bench.queue.get(job_id).recoveries == 1
        gate.set()
        bench.finished(job_id)
        wait_until(lambda: heard.of("job_completed"))
    assert heard.names() == ["job_dispatched", "job_started", "job_started", "job_completed"]
    assert heard.of("job_completed")[0].recoveries == 1


def test_a_job_that_loses_too_many_workers_has_failed(make_bench: MakeBench, heard: Heard) -> None:
    """Told by the worker that finds it so, with its whole history."""
    bench = make_bench(Works, QUEUE_LEASE_S=2, QUEUE_MAX_RECOVERIES=0)
    job_id = Works.dispatch("works").id
    store = bench.broker.store
    store.transitions.cycle(store.client, "dead", bench.broker.retention, [CycleRequest("default", want=1, idle=1)])
    with bench.working():
        (record,) = wait_until(lambda: heard.of("job_failed"), 15)
    assert record == bench.queue.get(job_id)
    assert record.error is not None
    assert record.error.type == WorkerLost.__name__


def test_what_a_receiver_raises_is_logged_and_keeps_no_other_from_hearing(
    make_bench: MakeBench, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    """In the process that dispatches as in the worker."""
    bench = make_bench(Works)

    def careless(app: Flask, record: JobRecord) -> None:
        raise RuntimeError("on purpose")

    with ExitStack() as connected:
        for name in ("job_dispatched", "job_started", "job_completed"):
            connected.enter_context(getattr(signals, name).connected_to(careless))
        job_id = Works.dispatch("works").id
        bench.run_all()
    assert bench.queue.get(job_id).state is JobState.COMPLETED
    assert heard.names() == ["job_dispatched", "job_started", "job_completed"]
    assert caplog.text.count("A receiver of job-") == 3


def test_a_receiver_may_listen_to_one_app(make_bench: MakeBench, redis_url: str) -> None:
    """The sender is the app."""
    other = Flask("other")
    other.config.update(QUEUE_REDIS_URL=redis_url, QUEUE_PREFIX="other")
    FlaskQueue(other, jobs=[Works])
    bench = make_bench(Works)
    heard = []

    def receive(app: Flask, record: JobRecord) -> None:
        heard.append((app, record.id))

    signals.job_dispatched.connect(receive, sender=bench.app)
    try:
        with other.app_context():
            Works.dispatch("works")
        job_id = Works.dispatch("works").id
    finally:
        signals.job_dispatched.disconnect(receive, sender=bench.app)
    assert heard == [(bench.app, job_id)]


def test_a_worker_tells_when_it_starts_and_stops(make_bench: MakeBench) -> None:
    """Before its first job, and after its last."""
    bench = make_bench(Works)
    heard: list[Any] = []

    def listen(signal: NamedSignal) -> Callable[..., None]:
        def receive(app: Flask, worker: WorkerInfo) -> None:
            heard.append((signal.name, worker.id, dict(worker.queues)))

        return receive

    def completed(app: Flask, record: JobRecord) -> None:
        heard.append(record.id)

    with ExitStack() as connected:
        for signal in (signals.worker_started, signals.worker_stopped):
            connected.enter_context(signal.connected_to(listen(signal)))
        connected.enter_context(signals.job_completed.connected_to(completed))
        job_id = Works.dispatch("works").id
        with bench.working(is_burst=True) as worker:
            assert worker.join(20)
    queues = {"default": 2}
    assert heard == [("worker-started", worker.id, queues), job_id, ("worker-stopped", worker.id, queues)]


def test_slow_receivers_hold_the_worker_up_instead_of_piling_up(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It claims nothing while many signals wait, goes on once they are sent, and sends them all before it ends."""
    monkeypatch.setattr(announcer, "MOST", 5)
    bench = make_bench(Works)
    count, told = 400, []
    is_open = threading.Event()

    def slow(app: Flask, record: JobRecord) -> None:
        is_open.wait(20)
        told.append(record.id)

    with signals.job_completed.connected_to(slow):
        Works.dispatch_many([{"what": str(number)} for number in range(count)])
        with bench.working() as worker:
            wait_until(lambda: worker._announcer.is_behind)
            assert bench.queue.counts()["default"]["completed"] < count
            is_open.set()
            wait_until(lambda: bench.queue.counts()["default"]["completed"] == count, 20)
    assert len(told) == count


def test_nobody_listens_so_nothing_is_made(make_bench: MakeBench) -> None:
    """No thread, no record."""
    bench: Bench = make_bench(Works)
    Works.dispatch("works")
    with bench.working(is_burst=True) as worker:
        assert worker.join(20)
    assert worker._announcer._thread is None
