"""What is special about jobs that run where they are dispatched."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from dramatiq import Middleware
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import SkipMessage
from flask import Flask

from flask_queue import FlaskQueue, Job, JobState, Queue
from tests.testkit.conftest import make_app

seen: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    seen.clear()


class Works(Job):
    timeout_s = 0.05

    def handle(self, number: int) -> int:
        seen.append((number, threading.get_ident()))
        if number == 13:
            raise LookupError(number)
        return number


class Interrupted(Job):
    def handle(self) -> None:
        raise KeyboardInterrupt


class Async(Job):
    async def handle(self) -> str:
        return "done"


class Skips(Middleware):
    def before_process_message(self, broker: Any, message: Any) -> None:
        message.fail()
        raise SkipMessage("not today")


@pytest.fixture
def queue() -> FlaskQueue:
    return FlaskQueue(queues=[Queue("default"), Queue("emails")], jobs=[Works, Interrupted, Async])


def test_a_job_runs_in_the_thread_that_dispatches(queue: FlaskQueue, app: Flask) -> None:
    """Its record has the result."""
    with queue.inline() as inline:
        record = Works.dispatch(3)
    assert (record.state, record.result) == (JobState.COMPLETED, 3)
    assert seen == [(3, threading.get_ident())]
    inline.assert_dispatched(Works, {"number": 3}, times=1)
    assert inline.dispatched(Works)[0].worker == "inline"
    assert inline.logs("default:nobody") == []


def test_many_stop_at_the_first_that_fails(queue: FlaskQueue, app: Flask) -> None:
    """Those after it were dispatched, and have not run."""
    with queue.inline() as inline, pytest.raises(LookupError, match="13"):
        Works.dispatch_many([{"number": number} for number in (1, 13, 2)])
    assert [number for number, _ in seen] == [1, 13]
    assert [record.state for record in inline.dispatched()] == ["completed", "failed", "waiting"]


def test_an_id_runs_once(queue: FlaskQueue, app: Flask) -> None:
    """The record that comes back is that of the job that has completed."""
    with queue.inline():
        records = [Works.options(job_id="a").dispatch(number) for number in (1, 2)]
    assert [number for number, _ in seen] == [1]
    assert (records[1].deduplicated, records[1].state, records[1].result) == (True, JobState.COMPLETED, 1)


def test_ctrl_c_reaches_the_caller(queue: FlaskQueue, app: Flask) -> None:
    """As all that a job raises."""
    with queue.inline(), pytest.raises(KeyboardInterrupt):
        Interrupted.dispatch()


def test_a_job_that_a_middleware_skips_has_failed(app: Flask) -> None:
    """It raised nothing of its own."""
    queue = FlaskQueue(jobs=[Works], middleware=[Skips])
    with make_app(queue, "skips").app_context(), queue.inline():
        record = Works.dispatch(1)
    assert (record.state, record.error and record.error.message) == (JobState.FAILED, "not today")


def test_no_event_loop_is_left(queue: FlaskQueue, app: Flask) -> None:
    """Nor its thread."""
    before = threading.active_count()
    with queue.inline():
        assert Async.dispatch().result == "done"
    assert get_event_loop_thread() is None
    assert threading.active_count() == before
