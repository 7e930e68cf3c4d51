"""What a run sees, and what its end leads to."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest
from flask import current_app, g, has_app_context

from flask_queue import Fail, Job, JobState, Release, Retry
from tests.support import wait_until
from tests.worker.conftest import MakeBench

seen: list[object] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    seen.clear()


class Add(Job):
    def handle(self, a: int, *, b: int = 2) -> int:
        seen.append((self.job_id, self.attempt, current_app.name))
        return a + b


class Fails(Job):
    max_retries = 2
    backoff = (0.01,)

    def handle(self) -> None:
        seen.append(self.attempt)
        raise ValueError("no such user")


class Asks(Job):
    max_retries = 1

    def handle(self, what: str) -> str:
        if what == "retry":
            raise Retry("later", delay_s=0.01)
        if what == "fail":
            raise Fail("hopeless")
        if what == "release" and not seen:
            seen.append(self.attempt)
            raise Release(delay_s=0.01)
        return f"attempt {self.attempt}"


class Async(Job):
    async def handle(self, name: str) -> str:
        await asyncio.sleep(0)
        return f"{name} in {current_app.name}"


class Tells(Job):
    def handle(self) -> None:
        self.progress(3, 7)
        self.log("first")
        self.log("second")
        seen.append(self.record)


class Contextual(Job):
    """Leaves something in its app context, and fails half of the time."""

    max_retries = 0

    def handle(self, fail: bool) -> None:
        seen.append((has_app_context(), g.get("mark"), threading.get_ident()))
        g.mark = "left behind"
        if fail:
            raise RuntimeError("on purpose")


class Spins(Job):
    max_retries = 0
    timeout_s = 0.3

    def handle(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            pass


class AsyncSleeps(Job):
    max_retries = 0
    timeout_s = 0.3

    async def handle(self) -> None:
        await asyncio.sleep(20)


class Returns(Job):
    def handle(self, what: str) -> object:
        return {"list": [1, None], "set": {1}, "long": "x" * 200}[what]


def test_a_job_completes_with_its_result(make_bench: MakeBench) -> None:
    """The result, one attempt, and a history made from the state; defaults are in the payload."""
    bench = make_bench(Add)
    job_id = Add.dispatch(1).id
    bench.run_all()
    record = bench.queue.get(job_id)
    assert (record.state, record.result, record.attempts, record.payload) == ("completed", 3, 1, {"a": 1, "b": 2})
    assert [(attempt.number, attempt.outcome) for attempt in record.history] == [(1, "completed")]
    assert record.started_at is not None
    assert record.finished_at is not None
    assert record.created_at is not None
    assert record.created_at <= record.started_at <= record.finished_at
    assert seen == [(job_id, 1, "bench")]


def test_a_failing_job_runs_again_until_its_retries_are_used_up(make_bench: MakeBench) -> None:
    """Three attempts, each kept with its error; then failed."""
    bench = make_bench(Fails)
    job_id = Fails.dispatch().id
    with bench.working():
        record = bench.finished(job_id)
    assert (record.state, record.attempts, seen) == ("failed", 3, [1, 2, 3])
    assert [attempt.outcome for attempt in record.history] == ["retried", "retried", "failed"]
    assert record.error is not None
    assert (record.error.type, record.error.message) == ("ValueError", "no such user")
    assert "raise ValueError" in record.error.traceback


def test_an_operators_retry_counts_attempts_anew(make_bench: MakeBench) -> None:
    """Attempts start at 1, the history goes on, run numbers never restart."""
    bench = make_bench(Fails)
    job_id = Fails.dispatch().id
    with bench.working():
        bench.finished(job_id)
        assert bench.queue.retry(job_id).state in ("waiting", "active", "delayed")
        record = wait_until(lambda: r if len((r := bench.queue.get(job_id)).history) == 6 else None)
    assert seen == [1, 2, 3, 1, 2, 3]
    assert record is not None
    assert [attempt.number for attempt in record.history] == [1, 2, 3, 4, 5, 6]


def test_a_job_decides_about_itself(make_bench: MakeBench) -> None:
    """Retry spends an attempt, Fail spends all, Release none."""
    bench = make_bench(Asks)
    retried, failed, released = (Asks.dispatch(what).id for what in ("retry", "fail", "release"))
    with bench.working({"default": 1}):
        assert [bench.finished(job).state for job in (retried, failed, released)] == ["failed", "failed", "completed"]
    assert bench.queue.get(retried).attempts == 2
    assert bench.queue.get(failed).attempts == 1
    record = bench.queue.get(released)
    assert (record.result, record.attempts) == ("attempt 1", 1)
    assert [attempt.outcome for attempt in record.history] == ["released", "completed"]


def test_an_async_handler_runs_in_the_app_context(make_bench: MakeBench) -> None:
    """`async def handle` is awaited, and `current_app` is the job's app."""
    bench = make_bench(Async)
    job_id = Async.dispatch("it runs").id
    with bench.working():
        assert bench.finished(job_id).result == "it runs in bench"


def test_progress_and_log_reach_the_record(make_bench: MakeBench) -> None:
    """`progress` and `log` are kept, and `record` shows the job as it is."""
    bench = make_bench(Tells)
    job_id = Tells.dispatch().id
    bench.run_all()
    assert bench.queue.get(job_id).progress == (3, 7)
    assert bench.queue.logs(job_id) == ["first", "second"]
    (record,) = seen
    assert getattr(record, "state", None) is JobState.ACTIVE


def test_each_run_has_an_app_context_of_its_own(make_bench: MakeBench) -> None:
    """Nothing in `g` is left from the run before on the same thread, also if that failed."""
    bench = make_bench(Contextual)
    popped: list[object] = []
    bench.app.teardown_appcontext(popped.append)
    Contextual.dispatch_many([{"fail": position % 2 == 0} for position in range(10)])
    with bench.working({"default": 1}, is_burst=True) as worker:
        assert worker.join(10)
    assert [entry[:2] for entry in seen] == [(True, None)] * 10  # type: ignore[index]
    assert len({entry[2] for entry in seen}) == 1  # type: ignore[index]
    assert [type(error) for error in popped] == [RuntimeError, type(None)] * 5


@pytest.mark.parametrize("job", [Spins, AsyncSleeps])
def test_a_run_that_takes_too_long_ends_with_job_timeout(make_bench: MakeBench, job: type[Spins]) -> None:
    """The handler is interrupted, plain or async, and the thread takes the next job."""
    bench = make_bench(job, Add)
    job_id = job.dispatch().id
    with bench.working({"default": 1}):
        record = bench.finished(job_id)
        assert bench.finished(Add.dispatch(1).id).state == "completed"
    assert record.error is not None
    assert (record.state, record.error.type) == ("failed", "JobTimeout")
    assert record.runtime_ms is not None
    assert 300 <= record.runtime_ms < 3000


def test_results_that_json_cannot_hold_are_dropped_and_long_ones_cut(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """The job is completed all the same."""
    bench = make_bench(Returns, QUEUE_MAX_RESULT_BYTES=100)
    jobs = {what: Returns.dispatch(what).id for what in ("list", "set", "long")}
    with caplog.at_level(logging.WARNING):
        bench.run_all()
    records = {what: bench.queue.get(job) for what, job in jobs.items()}
    assert {record.state for record in records.values()} == {"completed"}
    assert (records["list"].result, records["set"].result) == ([1, None], None)
    assert (records["long"].result_cut, len(records["long"].result)) == (True, 100)
    assert [r.message for r in caplog.records if "result" in r.message]


def test_an_unknown_job_fails_with_what_to_do(make_bench: MakeBench) -> None:
    """A message of a job that the worker's app lacks goes to failed; registered and retried, it runs."""
    sender = make_bench(Add)
    worker_app = make_bench()
    with sender.app.app_context():
        job_id = Add.dispatch(1).id
    with worker_app.working():
        record = worker_app.finished(job_id)
        assert record.error is not None
        assert (record.state, record.error.type) == ("failed", "UnknownJob")
        assert "FlaskQueue(jobs=" in record.error.message
        worker_app.queue.register(Add)
        worker_app.queue.retry(job_id)
        assert worker_app.finished(job_id).state == "completed"


def test_a_message_that_cannot_be_read_fails(make_bench: MakeBench) -> None:
    """A damaged message ends as failed instead of being skipped or stopping the worker."""
    bench = make_bench(Add)
    job_id = Add.options(job_id="damaged").dispatch(1).id
    bench.broker.store.client.hset(bench.broker.store.transitions.keys("default")["jobs"], "damaged", b"Add\n{not json")
    with bench.working():
        wait_until(lambda: bench.queue.counts()["default"]["failed"] == 1)
        assert bench.finished(Add.dispatch(1).id).state == "completed"
    assert job_id == "default:damaged"
