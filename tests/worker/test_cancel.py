"""Cancelling a job that runs: it is told within a second, and stopped where it does not listen."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from flask_queue import Job, JobCancelled
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench

started = threading.Event()
told: list[float] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    started.clear()
    told.clear()


class Listens(Job):
    def handle(self) -> str:
        started.set()
        while not self.cancelled:
            time.sleep(0.01)
        told.append(time.monotonic())
        return "stopped in good order"


class Deaf(Job):
    def handle(self) -> None:
        started.set()
        try:
            while True:
                time.sleep(0.01)
        except JobCancelled:
            told.append(time.monotonic())
            raise


class Async(Job):
    async def handle(self) -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            told.append(time.monotonic())
            raise


class Unaware(Job):
    def handle(self) -> str:
        started.set()
        time.sleep(1.5)
        return "done"


class Fails(Job):
    """Raises something of its own when it is told."""

    def handle(self) -> None:
        started.set()
        while not self.cancelled:
            time.sleep(0.01)
        raise RuntimeError("half done")


def cancel_running(bench: Bench, job: type[Listens] | type[Deaf] | type[Async] | type[Unaware] | type[Fails]) -> str:
    """The id of a job that was cancelled while it ran."""
    job_id: str = job.dispatch().id
    assert started.wait(10)
    assert bench.queue.cancel(job_id).state == "active"
    return job_id


def test_a_job_that_listens_ends_cancelled(make_bench: MakeBench) -> None:
    """`self.cancelled` is true within a second; what it does then is its own affair."""
    bench = make_bench(Listens)
    with bench.working():
        job_id = cancel_running(bench, Listens)
        asked = time.monotonic()
        record = bench.finished(job_id)
    assert told[0] - asked < 1
    assert (record.state, [run.outcome for run in record.history]) == ("cancelled", ["cancelled"])


def test_an_error_after_a_cancel_is_no_failure(make_bench: MakeBench) -> None:
    """A job that raises because it was cancelled is neither failed nor retried."""
    bench = make_bench(Fails)
    with bench.working():
        assert bench.finished(cancel_running(bench, Fails)).state == "cancelled"


def test_a_deaf_job_is_stopped_after_five_seconds(make_bench: MakeBench) -> None:
    """JobCancelled is raised in its thread, which then takes other jobs."""
    bench = make_bench(Deaf, Unaware)
    with bench.working({"default": 1}):
        asked = time.monotonic()
        record = bench.finished(cancel_running(bench, Deaf))
        assert 4.5 < told[0] - asked < 7
        assert record.state == "cancelled"
        assert bench.finished(Unaware.dispatch().id).state == "completed"


def test_an_async_job_is_cancelled_at_once(make_bench: MakeBench) -> None:
    """The coroutine gets CancelledError within a second or so."""
    bench = make_bench(Async)
    with bench.working():
        asked = time.monotonic()
        record = bench.finished(cancel_running(bench, Async))
    assert told[0] - asked < 1.5
    assert record.state == "cancelled"


def test_a_job_that_finishes_unaware_is_completed(make_bench: MakeBench) -> None:
    """It has done its work, and never looked."""
    bench = make_bench(Unaware)
    with bench.working():
        record = bench.finished(cancel_running(bench, Unaware))
    assert (record.state, record.result) == ("completed", "done")


def test_a_cancelled_job_can_be_retried(make_bench: MakeBench) -> None:
    """The request to stop goes with the run: the next one is not told of it."""
    bench = make_bench(Unaware, Listens)
    with bench.working():
        job_id = cancel_running(bench, Listens)
        bench.finished(job_id)
        started.clear()
        bench.queue.retry(job_id)
        assert started.wait(10)
        assert bench.queue.get(job_id).state == "active"
        bench.queue.cancel(job_id)
        wait_until(lambda: len(bench.queue.get(job_id).history) == 2)
