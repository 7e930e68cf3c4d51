"""A worker ends in time, whole, and once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from dramatiq import Broker, Middleware, Worker

from flask_queue import Job, Queue
from flask_queue.worker import Worker as OurWorker
from tests.store.checks import check_queue
from tests.support import wait_until
from tests.worker.conftest import MakeBench

pytestmark = pytest.mark.untraced

started = threading.Semaphore(0)
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    gate.clear()
    while started.acquire(blocking=False):
        pass
    yield
    gate.set()


class Stuck(Job):
    """Sits in one call that nothing can interrupt."""

    def handle(self) -> None:
        started.release()
        gate.wait(20)


class Blocks(Job):
    """Blocks the event loop of all async handlers."""

    async def handle(self) -> None:
        started.release()
        gate.wait(20)


def within(seconds: float, call: Callable[[], bool]) -> bool:
    """Its result, unless it took longer."""
    begun = time.monotonic()
    result = call()
    assert time.monotonic() - begun < seconds
    return result


def test_many_stuck_threads_do_not_add_up(make_bench: MakeBench) -> None:
    """The time for a stop is for all threads together; all their jobs go back, more than fit in one round trip, too."""
    threads = 300
    bench = make_bench(Stuck, queues=[Queue("default", concurrency=threads)])
    Stuck.dispatch_many([{}] * threads)
    worker = OurWorker(bench.broker)
    worker.start()
    for _ in range(threads):
        assert started.acquire(timeout=10)
    assert not within(4, lambda: worker.stop(3))
    assert bench.queue.counts()["default"] | {"waiting": threads} == bench.queue.counts()["default"]
    check_queue(bench.broker.store.client, bench.broker.store.transitions.keys("default"))


def test_a_blocked_event_loop_does_not_hold_a_stop_up(make_bench: MakeBench) -> None:
    """An async handler that blocks cannot be interrupted; the worker ends without it, and its job goes back."""
    bench = make_bench(Blocks)
    job_id = Blocks.dispatch().id
    worker = OurWorker(bench.broker)
    worker.start()
    assert started.acquire(timeout=5)
    within(4, lambda: worker.stop(3))
    assert bench.queue.get(job_id).state == "waiting"


class Counts(Middleware):
    """How often workers were shut down."""

    stops = 0

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        Counts.stops += 1


def test_a_second_stop_does_nothing(make_bench: MakeBench) -> None:
    """It says how the first one ended; middleware hears of one."""
    Counts.stops = 0
    bench = make_bench(middleware=[Counts])
    worker = OurWorker(bench.broker)
    worker.start()
    assert worker.stop()
    assert within(0.5, worker.stop)
    assert Counts.stops == 1


def test_a_stopped_worker_leaves_nothing_behind(make_bench: MakeBench, redis_client: redis.Redis) -> None:
    """Neither threads nor connections nor a hook; and it serves no queue that is declared later."""

    def threads_and_connections() -> set[object]:
        ours = [each["id"] for each in redis_client.client_list() if each["name"] == "flask-queue"]
        return {*ours, *(thread for thread in threading.enumerate() if thread.name.startswith("fq-"))}

    others = threads_and_connections()
    bench = make_bench(Stuck)
    middleware = list(bench.broker.middleware)
    with bench.working():
        assert threads_and_connections() - others
    assert bench.broker.middleware == middleware
    bench.broker.declare_queue("later")
    bench.broker.close()
    wait_until(lambda: not threads_and_connections() - others)
