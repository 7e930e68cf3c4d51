"""A worker that has nothing to do costs next to nothing, whatever it waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from flask_queue import Job
from flask_queue.store.transitions import CycleRequest
from tests.servers import RedisServer
from tests.support import wait_until
from tests.worker.conftest import MakeBench

#: Share of one core; a loop that spins takes all of it.
NEXT_TO_NOTHING = 0.1

started = threading.Event()
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    started.clear()
    gate.clear()
    yield
    gate.set()


class Waits(Job):
    def handle(self) -> None:
        started.set()
        gate.wait(20)


def cpu_share(seconds: float = 1.0) -> float:
    """Of this process, over a while from now."""
    cpu, wall = time.process_time(), time.monotonic()
    time.sleep(seconds)
    return (time.process_time() - cpu) / (time.monotonic() - wall)


def test_an_idle_worker(make_bench: MakeBench) -> None:
    """It waits for a marker."""
    with make_bench(Waits).working():
        cpu_share(0.2)
        assert cpu_share() < NEXT_TO_NOTHING


def test_a_paused_worker(make_bench: MakeBench) -> None:
    """Also where jobs wait that it may not take."""
    with make_bench(Waits).working() as worker:
        worker.pause()
        Waits.dispatch_many([{}] * 10)
        Waits.options(delay_s=0.1).dispatch()
        assert cpu_share() < NEXT_TO_NOTHING
        gate.set()
        worker.resume()


def test_a_burst_with_a_long_job(make_bench: MakeBench) -> None:
    """It looks for the end of the burst now and then, and not before its own jobs are done."""
    bench = make_bench(Waits)
    Waits.dispatch()
    with bench.working(is_burst=True) as worker:
        assert started.wait(5)
        assert cpu_share() < NEXT_TO_NOTHING
        gate.set()
        assert worker.join(5)


def test_a_burst_that_waits_for_another_worker(make_bench: MakeBench) -> None:
    """The job that another worker holds keeps the burst, not the processor."""
    bench = make_bench(Waits)
    store = bench.broker.store
    Waits.dispatch()
    store.transitions.cycle(store.client, "other", bench.broker.retention, [CycleRequest("default", want=1, idle=1)])
    with bench.working(is_burst=True) as worker:
        assert cpu_share() < NEXT_TO_NOTHING
        assert not worker.join(0)


@pytest.mark.parametrize("is_burst", [False, True])
def test_a_worker_whose_redis_is_away(own_server: RedisServer, make_bench: MakeBench, is_burst: bool) -> None:
    """It tries again every second."""
    bench = make_bench(Waits, url=own_server.url)
    with bench.working(is_burst=is_burst):
        own_server.stop()
        assert cpu_share(2) < NEXT_TO_NOTHING


def test_a_worker_that_must_not_reap_yet(own_server: RedisServer, make_bench: MakeBench) -> None:
    """On a server that has just started, leases that are over are left alone for a while, without looking at them."""
    bench = make_bench(Waits, url=own_server.url, QUEUE_LEASE_S=3)
    bench.broker.store.client.zadd(bench.broker.store.transitions.keys("default")["workers"], {"dead": 1})
    with bench.working():
        assert cpu_share() < NEXT_TO_NOTHING
        wait_until(lambda: bench.broker.store.client.zscore("{flask-queue:default}:workers", "dead") is None)


def test_a_stopping_worker_with_a_long_job(make_bench: MakeBench) -> None:
    """It waits for the end of the job."""
    bench = make_bench(Waits)
    Waits.dispatch_many([{}] * 5)
    with bench.working() as worker:
        assert started.wait(5)
        stop = threading.Thread(target=worker.stop)
        stop.start()
        assert cpu_share() < NEXT_TO_NOTHING
        gate.set()
        stop.join(5)
