"""Paused queues and their workers."""

from __future__ import annotations

import threading
import time

import pytest

from flask_queue import Job, JobState, Queue
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench

QUEUES = [Queue("default", concurrency=2), Queue("other", concurrency=1)]
gate = threading.Event()


class Waits(Job):
    def handle(self) -> None:
        gate.wait(20)


class Fine(Job):
    def handle(self) -> None:
        pass


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """An app with two queues."""
    gate.clear()
    return make_bench(Waits, Fine, queues=QUEUES)


def scripts_run(bench: Bench) -> int:
    """How many scripts Redis has run so far."""
    stats = bench.broker.store.client.info("commandstats")
    return sum(each["calls"] for name, each in stats.items() if name in ("cmdstat_evalsha", "cmdstat_eval"))


def test_running_jobs_finish_and_others_wait(bench: Bench) -> None:
    """What runs when the queue is paused ends as ever; other queues go on."""
    running = Waits.dispatch()
    with bench.working():
        bench.reaches(running.id, JobState.ACTIVE)
        bench.queue.pause("default")
        waiting = [Fine.dispatch() for _ in range(3)]
        bench.finished(Fine.options(queue_name="other").dispatch().id)
        gate.set()
        assert bench.finished(running.id).state is JobState.COMPLETED
        assert {bench.queue.get(job.id).state for job in waiting} == {JobState.WAITING}


def test_a_resume_is_heard_at_once(bench: Bench) -> None:
    """A worker that has nothing else to do is woken, and takes what has gathered."""
    bench.queue.pause("default")
    jobs = [Fine.dispatch() for _ in range(20)]
    with bench.working():
        bench.finished(Fine.options(queue_name="other").dispatch().id)
        bench.queue.resume("default")
        started_s = time.monotonic()
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == len(jobs), 3)
        assert time.monotonic() - started_s < 1.5


def test_a_paused_queue_costs_nothing(bench: Bench) -> None:
    """However many jobs wait, are due or come, its workers look no more often than those of an empty queue."""
    bench.queue.pause("default", "a reason")
    for _ in range(50):
        Fine.dispatch()
        Fine.options(delay_s=0.2).dispatch()
    with bench.working():
        bench.finished(Fine.options(queue_name="other").dispatch().id)
        wait_until(lambda: bench.queue.counts()["default"]["delayed"] == 0)
        before, started_s = scripts_run(bench), time.monotonic()
        wait_until(lambda: time.monotonic() - started_s > 3, 5, what="three seconds have passed")
        ran = scripts_run(bench) - before
    assert bench.queue.counts()["default"]["waiting"] == 100, "delayed jobs go on becoming due"
    assert ran <= 6, f"{ran} scripts in 3 s"


def test_a_burst_waits_for_the_end_of_a_pause(bench: Bench) -> None:
    """It ends when nothing is waiting, and what a paused queue has still is."""
    bench.queue.pause("default")
    job = Fine.dispatch()
    with bench.working(is_burst=True) as worker:
        assert not worker.join(0.7)
        bench.queue.resume("default")
        assert worker.join(5)
    assert bench.queue.get(job.id).state is JobState.COMPLETED
