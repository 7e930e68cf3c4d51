"""A run: what `handle` sees of its job, and how an actor calls it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread

from flask_queue.delivery import Delivery, current_delivery
from flask_queue.errors import QueueError
from flask_queue.job import Job
from flask_queue.store.state import StateRecord
from tests.unit.jobs import make_broker


class Report(Job):
    def handle(self, path: str, *, pages: int = 1) -> tuple[str, int, str, int]:
        """Say what it was given and what it knows."""
        self.progress(1, pages)
        self.log(f"read {path}")
        return path, pages, self.job_id, self.attempt


class Fetch(Job):
    async def handle(self, url: str) -> str:
        """Return what it was given, with its id."""
        return f"{self.job_id} {url}"


def hidden(handle: Callable[..., object]) -> Callable[..., object]:
    """A decorator that hides that `handle` is async."""

    @functools.wraps(handle)
    def wrapper(self: object, **kwargs: Any) -> object:
        return handle(self, **kwargs)

    return wrapper


class FetchDecorated(Job):
    @hidden
    async def handle(self, url: str) -> str:
        """Return what it was given."""
        return url


@pytest.fixture
def event_loop() -> Iterator[None]:
    """The event loop that Dramatiq's AsyncIO middleware keeps in a worker."""
    thread = EventLoopThread(logging.getLogger("tests"))
    thread.start(timeout=5)
    set_event_loop_thread(thread)
    yield
    set_event_loop_thread(None)
    thread.loop.call_soon_threadsafe(thread.loop.stop)
    thread.join(5)


def run(job: type[Job], **payload: Any) -> tuple[Any, list[tuple[Any, ...]]]:
    """The result of a run by the actor, and what it asked of the store."""
    broker: Any = make_broker(job)
    message: Message[Any] = Message("default", job.name, (), payload, {}, "a1", 0)
    state = StateRecord("a", "-", "-", 1, 2, 0, 0, 0, 0, 0, 0, 0, "w1", "")
    delivery = Delivery(broker, message, state, "w1")
    delivery.cancelled = True
    token = current_delivery.set(delivery)
    try:
        return broker.actors[job.name](**payload), broker.store.calls
    finally:
        current_delivery.reset(token)


def test_a_run_knows_its_job() -> None:
    """handle gets the payload; id, attempt, progress and log belong to the run."""
    result, calls = run(Report, path="a.csv", pages=3)
    assert result == ("a.csv", 3, "default:a1", 2)
    assert calls == [("progress", "default", "a1", 1, 3), ("log", "default", "a1", "read a.csv")]


def test_cancelled_is_the_runs() -> None:
    """self.cancelled says whether this run was asked to stop."""

    class Ask(Job):
        def handle(self) -> bool:
            return self.cancelled

    assert run(Ask)[0] is True


def test_every_run_has_an_instance_of_its_own() -> None:
    """What a run leaves on self is gone in the next."""

    class Count(Job):
        runs = 0

        def handle(self) -> int:
            self.runs += 1
            return self.runs

    broker = make_broker(Count)
    assert [broker.actors["Count"]() for _ in range(3)] == [1, 1, 1]


@pytest.mark.usefixtures("event_loop")
@pytest.mark.parametrize(("job", "result"), [(Fetch, "default:a1 x"), (FetchDecorated, "x")])
def test_async_handles_run_to_their_end(job: type[Job], result: str) -> None:
    """An async handle is awaited, also behind a decorator that hides that it is async."""
    assert run(job, url="x")[0] == result


def test_progress_is_two_numbers() -> None:
    """Progress that is no share of anything is refused where it is made."""
    for done, total in ((1, 0), (1, -1), (float("nan"), 1), (1, float("inf"))):
        with pytest.raises(ValueError, match="progress"):
            Report().progress(done, total)


def test_log_lines_can_always_be_stored() -> None:
    """A line is text that UTF-8 can hold, whatever it was."""

    class Log(Job):
        def handle(self) -> None:
            self.log("a\udc80")

    assert run(Log)[1] == [("log", "default", "a1", r"a\udc80")]


def test_handle_called_by_hand() -> None:
    """Outside of a run progress and log do nothing, cancelled is false; what needs a run says so."""
    job = Report()
    job.progress(1)
    job.log("x")
    assert job.cancelled is False
    for attribute in ("job_id", "attempt", "record"):
        with pytest.raises(QueueError, match="outside of a run"):
            getattr(job, attribute)


def test_the_whole_payload_is_the_key() -> None:
    """Unless the class says otherwise, in whatever order it comes."""
    assert Report.unique_by(path="a", pages=1) == Report.unique_by(pages=1, path="a")
    assert Report.unique_by(path="a", pages=1) != Report.unique_by(path="a", pages=2)


def test_names() -> None:
    """A job is named by its class, unless that very class says otherwise."""

    class Named(Report):
        name = "reports.monthly"

    class Child(Named): ...

    assert [job.name for job in (Report, Named, Child)] == ["Report", "reports.monthly", "Child"]
