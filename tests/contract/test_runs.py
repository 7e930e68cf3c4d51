"""What a job sees and does when it runs, whether a worker's code runs it from the store or inline."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from flask import Flask, current_app, g, has_request_context

from flask_queue import Fail, Job, JobRecord, JobState, Release, Retry, signals
from flask_queue.testing import drain, travel
from tests.contract.conftest import Kit

seen: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    seen.clear()


class Looks(Job):
    def handle(self, extra: Any) -> dict[str, Any]:
        seen.append((current_app.name, g.get("mark"), has_request_context(), extra))
        g.mark = "left behind"
        extra.append("changed")
        self.progress(3, 7)
        self.log("first")
        self.log("second")
        record = self.record
        return {
            "id": self.job_id,
            "attempt": self.attempt,
            "cancelled": self.cancelled,
            "state": record.state.value,
            "progress": list(record.progress or ()),
            "same": record.id == self.job_id,
            "thread": threading.get_ident(),
        }


class Async(Job):
    async def handle(self, depth: int) -> str:
        await asyncio.sleep(0)
        if depth:
            Async.dispatch(depth - 1)
        seen.append(depth)
        return current_app.name


class Fails(Job):
    max_retries = 2
    backoff = (60,)

    def handle(self, how: str) -> None:
        seen.append(self.attempt)
        raise {"value": ValueError("no such user"), "fail": Fail("hopeless"), "retry": Retry("later", delay_s=3)}[how]

    def on_failed(self, error: BaseException) -> None:
        seen.append(repr(error))


class Chains(Job):
    def handle(self, left: int) -> int:
        seen.append(left)
        if left:
            Chains.dispatch(left - 1)
        return left

    def on_completed(self, result: int) -> None:
        seen.append(f"completed {result}")


class Alone(Job):
    unique_for_s = 60

    def handle(self) -> bool:
        return Alone.dispatch().deduplicated


class Odd(Job):
    def handle(self) -> object:
        return object()


def test_what_a_job_sees(running: Kit) -> None:
    """A fresh app context, and no request; its arguments as JSON made them; its own id, attempt, record and log."""
    running.start(Looks)
    g.mark = "the test's"
    names = ["a"]
    with running.app.test_request_context():
        record = Looks.dispatch(names)
        running.run()
    kept = running.record(record.id)
    assert seen == [("shop", None, False, ["a", "changed"])]
    assert names == ["a"]
    assert kept.result == {
        "id": record.id,
        "attempt": 1,
        "cancelled": False,
        "state": "active",
        "progress": [3, 7],
        "same": True,
        "thread": threading.get_ident(),
    }
    assert (kept.state, kept.attempts, kept.progress, kept.payload) == ("completed", 1, (3, 7), {"extra": ["a"]})
    assert [attempt.outcome for attempt in kept.history] == ["completed"]
    assert running.logs(record.id) == ["first", "second"]
    assert g.mark == "the test's"


def test_async_handlers(running: Kit) -> None:
    """Also where one dispatches another while it runs on the event loop."""
    running.start(Async)
    record = Async.dispatch(2)
    running.run()
    assert running.record(record.id).result == "shop"
    assert sorted(seen) == [0, 1, 2]


def test_jobs_that_dispatch_jobs(running: Kit) -> None:
    """Inline runs them inside each other."""
    running.start(Chains)
    Chains.dispatch(2)
    running.run()
    if running.kind == "inline":
        assert seen == [2, 1, 0, "completed 0", "completed 1", "completed 2"]
    else:
        assert seen == [2, "completed 2", 1, "completed 1", 0, "completed 0"]
    assert {record.state for record in running.records()} == {JobState.COMPLETED}


def test_a_unique_job_that_runs_keeps_others_out(running: Kit) -> None:
    """Until it is settled."""
    running.start(Alone)
    record = Alone.dispatch()
    running.run()
    assert running.record(record.id).result is True


@pytest.mark.parametrize(
    ("how", "error"), [("value", ValueError("no such user")), ("fail", Fail("hopeless")), ("retry", Retry("later"))]
)
def test_a_job_that_fails(running: Kit, how: str, error: Exception) -> None:
    """Inline its own exception reaches the caller, and nothing is retried; else it is kept, and the job runs again."""
    running.start(Fails)
    if running.kind == "inline":
        with pytest.raises(type(error), match=str(error)) as raised:
            Fails.dispatch(how)
        assert any(entry.name == "handle" for entry in raised.traceback)
    else:
        Fails.dispatch(how)
        while drain():
            travel(61)
    (record,) = running.records()
    attempts = 3 if how != "fail" and running.kind == "real" else 1
    assert (record.state, record.attempts, record.max_retries) == ("failed", attempts, 2)
    assert record.error is not None
    assert (record.error.type, record.error.message) == (type(error).__name__, str(error))
    assert "in handle" in record.error.traceback
    assert seen == [*range(1, attempts + 1), repr(error)]


def test_a_release_inline_reaches_the_caller(running: Kit) -> None:
    """There is no later."""

    class Releases(Job):
        def handle(self) -> None:
            if not seen:
                seen.append("released")
                raise Release

    running.start(Releases)
    if running.kind == "inline":
        with pytest.raises(Release):
            Releases.dispatch()
        return
    Releases.dispatch()
    assert drain() == 2


def test_a_result_that_json_cannot_hold(running: Kit, caplog: pytest.LogCaptureFixture) -> None:
    """It is dropped with a warning; the job has completed."""
    running.start(Odd)
    with caplog.at_level(logging.WARNING, "flask_queue"):
        record = Odd.dispatch()
        running.run()
    assert (running.record(record.id).state, running.record(record.id).result) == ("completed", None)
    assert "The result of Odd is dropped" in caplog.text


def test_signals(running: Kit) -> None:
    """In the order of the run, in the same thread."""
    running.start(Chains, Fails)
    told: list[tuple[str, str]] = []
    names = ["job_dispatched", "job_started", "job_completed", "job_retried", "job_failed"]

    def listen(name: str) -> Any:
        def receive(app: Flask, record: JobRecord) -> None:
            told.append((name, record.state))

        return receive

    receivers = {name: listen(name) for name in names}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver)
    try:
        Chains.dispatch(0)
        running.run()
        ends = [("job_dispatched", "waiting"), ("job_started", "active"), ("job_completed", "completed")]
        assert told == ends
        told.clear()
        try:
            Fails.dispatch("fail")
        except Fail:
            assert running.kind == "inline"
        running.run()
        assert told == [("job_dispatched", "waiting"), ("job_started", "active"), ("job_failed", "failed")]
    finally:
        for name, receiver in receivers.items():
            getattr(signals, name).disconnect(receiver)


def test_plain_actors_run(running: Kit) -> None:
    """With their arguments."""
    queue = running.start()
    actor = queue.actor(actor_name="note")(seen.append)
    actor.send("hello")
    running.run()
    assert seen == ["hello"]


def test_pipelines(running: Kit) -> None:
    """The next message gets the result of the one before."""
    queue = running.start()
    note = queue.actor(actor_name="note")(seen.append)

    @queue.actor()
    def double(number: int) -> int:
        return 2 * number

    (double.message(2) | double.message() | note.message()).run()  # type: ignore[call-arg]
    running.run()
    assert seen == [8]


def test_a_plain_actor_that_fails(running: Kit) -> None:
    """Inline its error reaches the caller; else Dramatiq's middleware retries it."""
    queue = running.start()

    @queue.actor(max_retries=1, min_backoff=1, max_backoff=1)
    def fails() -> None:
        seen.append("ran")
        raise ValueError("on purpose")

    if running.kind == "inline":
        with pytest.raises(ValueError, match="on purpose"):
            fails.send()
    else:
        fails.send()
        while drain():
            travel(10)
    assert len(seen) == (1 if running.kind == "inline" else 2)
    assert running.records()[0].state is JobState.FAILED
