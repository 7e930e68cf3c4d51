"""The hooks of a Job class: when they are called, with what, and that they change nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import Middleware
from dramatiq.middleware import SkipMessage
from flask import current_app

from flask_queue import Fail, Job, JobExpired, JobState, Release, Retry
from tests.worker.conftest import MakeBench

seen: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    seen.clear()


class Tells(Job):
    """Does what it is told, and tells of its hooks."""

    max_retries = 1
    backoff = (0.01,)

    def handle(self, what: str) -> dict[str, int]:
        self.kept = what
        if what == "fails":
            raise ValueError(f"in attempt {self.attempt}")
        if what == "gives up":
            raise Fail("hopeless")
        if what == "retries" and self.attempt == 1:
            raise Retry("once more", delay_s=0.01)
        if what == "releases" and not seen:
            seen.append("released")
            raise Release
        return {"done": 1}

    def on_completed(self, result: dict[str, int]) -> None:
        seen.append(("completed", result, self.kept, self.job_id, current_app.name))

    def on_failed(self, error: BaseException) -> None:
        seen.append(("failed", repr(error), self.attempt, current_app.name))


class AsyncHooks(Job):
    max_retries = 0

    async def handle(self, fails: bool) -> int:
        if fails:
            raise KeyError("a")
        return 3

    async def on_completed(self, result: int) -> None:
        seen.append((result, current_app.name))

    async def on_failed(self, error: Exception) -> None:
        seen.append(type(error))


class Careless(Job):
    """Its hooks fail."""

    max_retries = 0

    def handle(self, fails: bool) -> int:
        if fails:
            raise ValueError("the job's own")
        return 7

    def on_completed(self, result: int) -> None:
        assert not self.cancelled
        raise RuntimeError("on purpose")

    def on_failed(self, error: BaseException) -> None:
        raise SystemExit(1)


class Slow(Job):
    timeout_s = 0.3

    def handle(self) -> str:
        return "done"

    def on_completed(self, result: str) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            pass


class Stale(Job):
    max_age_s = 0.001

    def handle(self) -> None: ...

    def on_failed(self, error: BaseException) -> None:
        seen.append((type(error), self.attempt, current_app.name))


class Skips(Middleware):
    def before_process_message(self, broker: Any, message: Any) -> None:
        raise SkipMessage("not today")


class Marks(Middleware):
    def before_process_message(self, broker: Any, message: Any) -> None:
        message.fail()


def test_on_completed_gets_the_result_in_the_context_of_the_run(make_bench: MakeBench) -> None:
    """On the instance that ran; after a retry once, for the run that completed."""
    bench = make_bench(Tells)
    ids = [Tells.dispatch(what=what).id for what in ("works", "retries")]
    bench.run_all()
    assert sorted(seen, key=str) == sorted(
        [
            ("completed", {"done": 1}, what, job_id, "bench")
            for what, job_id in zip(("works", "retries"), ids, strict=True)
        ],
        key=str,
    )


def test_on_failed_gets_the_error_of_the_last_attempt(make_bench: MakeBench) -> None:
    """Not those of attempts before; Fail ends a job in its first."""
    bench = make_bench(Tells)
    Tells.dispatch("fails")
    bench.run_all()
    assert seen == [("failed", "ValueError('in attempt 2')", 2, "bench")]
    Tells.dispatch("gives up")
    bench.run_all()
    assert seen[1:] == [("failed", "Fail('hopeless')", 1, "bench")]


def test_a_released_run_has_no_hook(make_bench: MakeBench) -> None:
    """It is no end."""
    bench = make_bench(Tells)
    Tells.dispatch("releases")
    bench.run_all()
    assert [entry[0] for entry in seen if entry != "released"] == ["completed"]


def test_hooks_may_be_async(make_bench: MakeBench) -> None:
    """As handle may."""
    bench = make_bench(AsyncHooks)
    AsyncHooks.dispatch(fails=False)
    bench.run_all()
    AsyncHooks.dispatch(fails=True)
    bench.run_all()
    assert seen == [(3, "bench"), KeyError]


def test_what_a_hook_raises_is_logged_and_changes_nothing(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """Even SystemExit."""
    bench = make_bench(Careless)
    fine, failed = Careless.dispatch(fails=False).id, Careless.dispatch(fails=True).id
    with caplog.at_level(logging.ERROR, "flask_queue.worker"):
        bench.run_all()
    assert bench.queue.get(fine).result == 7
    record = bench.queue.get(failed)
    assert (record.state, record.error and record.error.message) == (JobState.FAILED, "the job's own")
    assert f"on_completed of job {fine} (Careless) failed" in caplog.text
    assert f"on_failed of job {failed} (Careless) failed" in caplog.text


@pytest.mark.untraced
def test_a_hook_is_interrupted_when_it_takes_longer_than_handle_may(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """The job has completed all the same."""
    bench = make_bench(Slow)
    job_id = Slow.dispatch().id
    bench.run_all()
    assert bench.queue.get(job_id).result == "done"
    assert "TimeLimitExceeded" in caplog.text


def test_a_job_that_expired_is_told_so(make_bench: MakeBench) -> None:
    """There was no run, so it gets an instance for its hook."""
    bench = make_bench(Stale)
    job_id = Stale.dispatch().id
    time.sleep(0.01)  # past its age
    bench.run_all()
    assert bench.queue.get(job_id).state is JobState.FAILED
    assert seen == [(JobExpired, 1, "bench")]


def test_a_job_that_a_middleware_skips_has_failed(make_bench: MakeBench) -> None:
    """With what there is to say of it."""
    bench = make_bench(Tells, middleware=[Skips])
    Tells.dispatch("works")
    bench.run_all()
    assert seen == [("failed", "Fail('a middleware skipped it')", 1, "bench")]


def test_a_job_that_a_middleware_marks_as_failed_has_failed(make_bench: MakeBench) -> None:
    """It did not run, either."""
    bench = make_bench(Tells, middleware=[Marks])
    Tells.dispatch("works")
    bench.run_all()
    assert seen == [("failed", "Fail('a middleware marked the message as failed')", 1, "bench")]
