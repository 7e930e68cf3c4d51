"""What the end of a run leads to: for its callbacks, its retries, and the memory of the worker."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any
from weakref import ref

import dramatiq
import pytest
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.middleware import Interrupt, MiddlewareError, SkipMessage
from flask import Flask, appcontext_pushed

from flask_queue import Job
from flask_queue.current import current_run
from tests.servers import RedisServer
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench

calls: list[Any] = []
started = threading.Event()
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    calls.clear()
    started.clear()
    gate.clear()
    yield
    gate.set()


class Quick(Job):
    max_retries = 0

    def handle(self, number: int = 0) -> None:
        calls.append(number)


def spin() -> None:
    """Run until the gate is open, where an interrupt can hit."""
    started.set()
    while not gate.is_set():
        time.sleep(0.005)


def with_callbacks(bench: Bench, work: Callable[[], Any]) -> Any:
    """A plain actor, retried never, whose callbacks note which of them was called."""

    def on_success(data: Any, result: Any) -> None:
        calls.append("success")

    def on_failure(data: Any, error: Any) -> None:
        calls.append("failure")

    for callback in (on_success, on_failure):
        dramatiq.actor(broker=bench.broker)(callback)
    options: Any = {"on_success": "on_success", "on_failure": "on_failure", "max_retries": 0}
    return dramatiq.actor(broker=bench.broker, actor_name="work", **options)(work)


def test_nothing_follows_from_a_run_that_was_interrupted(make_bench: MakeBench) -> None:
    """At the end of a shutdown the run goes back, also that of the last attempt; its repetition has the callback."""
    bench = make_bench()
    work = with_callbacks(bench, spin)
    message = work.send()
    with bench.working() as worker:
        assert started.wait(5)
        assert worker.stop(1)
    assert bench.queue.counts()["default"]["waiting"] == 1
    gate.set()
    bench.run_all()
    assert calls == ["success"]
    record = bench.queue.get(f"default:{message.message_id}")
    assert (record.state, record.attempts, len(record.history)) == ("completed", 1, 1)


def test_a_repetition_may_end_in_another_way(make_bench: MakeBench) -> None:
    """A run that failed sent its callback, and the same attempt, run again, succeeds: that callback is sent as well."""
    bench = make_bench()
    work = with_callbacks(bench, lambda: 1 / len(calls))
    message = work.send()
    with bench.working():
        bench.finished(f"default:{message.message_id}")
        wait_until(lambda: calls == ["failure"])
        bench.queue.retry(f"default:{message.message_id}")
        wait_until(lambda: calls == ["failure", "success"])


def test_an_operators_retry_of_a_plain_actor_counts_anew(make_bench: MakeBench) -> None:
    """Dramatiq counts retries in the message; that must not use up those that an operator grants."""
    bench = make_bench()

    @dramatiq.actor(broker=bench.broker, max_retries=2, min_backoff=1, max_backoff=1)
    def fails() -> None:
        calls.append("run")
        raise ValueError

    job_id = f"default:{fails.send().message_id}"
    with bench.working():
        bench.finished(job_id)
        assert len(calls) == 3
        bench.queue.retry(job_id)
        wait_until(lambda: len(calls) == 6)
        assert bench.finished(job_id).attempts == 3


def test_a_follow_up_that_cannot_be_stored_does_not_repeat_its_run_at_full_speed(make_bench: MakeBench) -> None:
    """Redis has no memory left for the next of a pipeline: the run before it is repeated, later each time, unspent."""
    with RedisServer() as server:
        bench = make_bench(url=server.url, QUEUE_BACKOFF=[0.2, 60])

        @dramatiq.actor(broker=bench.broker)
        def first() -> int:
            calls.append("first")
            return 1

        @dramatiq.actor(broker=bench.broker)
        def second(number: int) -> None:
            calls.append("second")

        message = first.message_with_options(pipe_target=second.message_with_options(args=()).asdict())
        bench.broker.enqueue(message)
        client = bench.broker.store.client
        client.config_set("maxmemory", 1)
        with bench.working():
            wait_until(lambda: calls == ["first"])
            wait_until(lambda: bench.queue.counts()["default"]["delayed"] == 1)
            client.config_set("maxmemory", 0)
            wait_until(lambda: calls == ["first", "first", "second"])
        assert bench.queue.get(f"default:{message.message_id}").attempts == 1


class Refuses(Middleware):
    """Wants nothing to end."""

    def before_ack(self, broker: Broker, message: MessageProxy) -> None:
        raise MiddlewareError("not yet")

    before_nack = before_ack


def test_a_middleware_cannot_stop_the_end_of_a_run(make_bench: MakeBench) -> None:
    """What a hook raises then changes no outcome, and neither thread nor worker is lost; unknown jobs included."""
    bench = make_bench(Quick, middleware=[Refuses])
    sender = make_bench(Unknown)
    with sender.app.app_context():
        unknown = Unknown.dispatch().id
    with bench.app.app_context(), bench.working({"default": 1}):
        assert bench.finished(unknown).state == "failed"
        assert bench.finished(Quick.dispatch().id).state == "completed"


class Unknown(Job):
    def handle(self) -> None: ...


class Late(Middleware):
    """Interrupts the thread while a run is being ended, as a middleware with a timer of its own may."""

    def after_process_message(self, broker: Broker, message: MessageProxy, **ending: Any) -> None:
        if not calls:
            calls.append("interrupted")
            raise Interrupt


def test_an_interrupt_while_a_run_is_ended_loses_neither_job_nor_thread(make_bench: MakeBench) -> None:
    """The run is repeated."""
    bench = make_bench(Fails, middleware=[Late])
    with bench.working({"default": 1}):
        record = bench.finished(Fails.dispatch().id)
    assert (record.state, record.attempts) == ("failed", 1)
    assert record.error is not None
    assert record.error.type == "Problem"


class Problem(ValueError):
    """Says whether it is still there."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        kept.append(ref(self))


class Fails(Job):
    max_retries = 0

    def handle(self) -> None:
        raise Problem("kept by nobody")


class TimesOut(Job):
    max_retries = 0
    timeout_s = 0.2

    def handle(self) -> None:
        marker = Marker()
        kept.append(ref(marker))
        spin()


class FailsAsync(Job):
    max_retries = 0

    async def handle(self) -> None:
        raise Problem("kept by nobody")


class Succeeds(Job):
    def handle(self) -> None:
        run = current_run()
        assert run is not None
        kept.append(ref(run))


class Marker:
    """A local variable of a handler, alive as long as the frame."""


kept: list[ref[Any]] = []


#: Before this version, Dramatiq's event loop itself kept what a coroutine raised.
FORGETS_ASYNC = (2, 2)
FORGOTTEN: list[type[Any]] = [Succeeds, Fails, TimesOut]
if tuple(map(int, version("dramatiq").split(".")[:2])) >= FORGETS_ASYNC:
    FORGOTTEN.append(FailsAsync)


@pytest.mark.parametrize("job", FORGOTTEN)
def test_an_idle_worker_keeps_nothing_of_its_last_run(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, job: type[Succeeds]
) -> None:
    """Exceptions, with their tracebacks and all that hangs on them, and payloads go at once, without the collector."""
    # pytest keeps what is logged, exceptions included.
    monkeypatch.setattr(logging.getLogger("flask_queue.worker"), "disabled", True)
    bench = make_bench(job)
    kept.clear()
    gc.collect()
    gc.disable()
    try:
        with bench.working({"default": 1}):
            bench.finished(job.dispatch().id)
            wait_until(lambda: [each() for each in kept] == [None])
    finally:
        gc.enable()


mark: ContextVar[str] = ContextVar("mark", default="unset")


class Marks(Job):
    def handle(self) -> None:
        calls.append(mark.get())
        mark.set("left behind")


def test_context_variables_do_not_leak_from_run_to_run(make_bench: MakeBench) -> None:
    """What a run sets is gone with it."""
    bench = make_bench(Marks)
    Marks.dispatch_many([{}, {}])
    with bench.working({"default": 1}, is_burst=True) as worker:
        assert worker.join(10)
    assert calls == ["unset", "unset"]


class SlowToCleanUp(Job):
    max_retries = 0
    timeout_s = 0.2

    async def handle(self) -> None:
        started.set()
        try:
            await asyncio.sleep(20)
        finally:
            await asyncio.sleep(1.3)


class Patient(SlowToCleanUp):
    timeout_s = 20


def test_a_coroutine_that_is_slow_to_clean_up_timed_out_all_the_same(make_bench: MakeBench) -> None:
    """The event loop then says something else; the record says what happened."""
    bench = make_bench(SlowToCleanUp)
    with bench.working():
        record = bench.finished(SlowToCleanUp.dispatch().id)
    assert record.error is not None
    assert record.error.type == "JobTimeout"


def test_a_coroutine_that_is_slow_to_clean_up_goes_back_unspent(make_bench: MakeBench) -> None:
    """The same at the end of a shutdown."""
    bench = make_bench(Patient)
    job_id = Patient.dispatch().id
    with bench.working() as worker:
        assert started.wait(5)
        assert worker.stop(4)
    record = bench.queue.get(job_id)
    assert (record.state, record.attempts) == ("waiting", 0)


class Dispatches(Job):
    """Is interrupted in the middle of a dispatch."""

    max_retries = 0
    timeout_s = 0.3

    def handle(self) -> None:
        started.set()
        Quick.dispatch(1)
        calls.append("not reached")


def test_a_time_out_cuts_no_dispatch_in_two(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the end of it, and hits then."""
    bench = make_bench(Quick, Dispatches)
    enqueue = bench.broker.store.enqueue

    def slow(*args: Any) -> Any:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            time.sleep(0.01)
        return enqueue(*args)

    job_id = Dispatches.dispatch().id
    monkeypatch.setattr(bench.broker.store, "enqueue", slow)
    with bench.working({"default": 1}):
        record = bench.finished(job_id)
        wait_until(lambda: calls == [1])
    assert record.error is not None
    assert record.error.type == "JobTimeout"


class Guards(Middleware):
    """Lets no run begin, in a way that `Guards.error` says."""

    error: Exception = MiddlewareError("closed")

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        raise Guards.error


@pytest.mark.parametrize("error", [MiddlewareError("closed"), SkipMessage("not today")])
def test_the_app_context_of_a_run_that_did_not_begin_is_popped(make_bench: MakeBench, error: Exception) -> None:
    """Whatever another middleware makes of the run: what was opened in the context is closed."""
    bench = make_bench(Quick, middleware=[Guards])
    Guards.error = error
    popped: list[object] = []
    bench.app.teardown_appcontext(popped.append)
    with bench.working({"default": 1}):
        for _ in range(2):
            assert bench.finished(Quick.dispatch().id).state == "failed"
    assert len(popped) == 2
    assert calls == []


def test_no_job_runs_outside_of_an_app_context(make_bench: MakeBench) -> None:
    """An app that cannot push one fails the run, with the reason."""
    bench = make_bench(Quick)

    def broken(sender: Flask, **options: Any) -> None:
        raise ValueError("no database")

    with bench.working({"default": 1}), appcontext_pushed.connected_to(broken, bench.app):
        record = bench.finished(Quick.dispatch().id)
    assert record.error is not None
    assert (record.state, calls) == ("failed", [])
    assert "no database" in record.error.message


def test_a_wrong_time_limit_fails_the_run_and_nothing_else(make_bench: MakeBench) -> None:
    """What somebody sent in its place costs neither the thread nor the job's settling."""
    bench = make_bench(Quick)

    @dramatiq.actor(broker=bench.broker, max_retries=0)
    def limited() -> None:
        calls.append("not reached")

    message = limited.send_with_options(time_limit="soon")
    with bench.working({"default": 1}):
        record = bench.finished(f"default:{message.message_id}")
        assert bench.finished(Quick.dispatch().id).state == "completed"
    assert record.error is not None
    assert record.error.type == "TypeError"
    assert calls == [0]


class First(Job):
    def handle(self) -> None:
        calls.append(self._run)


class Next(Job):
    """Learns that the run before it on the thread was to stop, which is over: its worker had not heard yet."""

    max_retries = 0

    def handle(self) -> None:
        calls[0].ask_to_stop()
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            time.sleep(0.01)


def test_a_cancel_that_comes_too_late_stops_no_other_run(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread has begun another job by then."""
    monkeypatch.setattr("flask_queue.worker.executor.STOP_GRACE_S", 0)
    bench = make_bench(First, Next)
    with bench.working({"default": 1}):
        bench.finished(First.dispatch().id)
        assert bench.finished(Next.dispatch().id).state == "completed"
