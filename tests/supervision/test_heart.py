"""A worker whose interpreter is held up keeps its leases, and one that is stuck for good loses them."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis

from flask_queue.current import broker_of
from tests.supervision.conftest import LEASE_S, PATIENCE_S, Site, hearts, is_alive, rss_kib
from tests.supervision.program import Backtrack, Blocked, Fork, Loop, Nap, Stick, queue
from tests.support import wait_until

pytestmark = pytest.mark.untraced

ERROR_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ERROR   \d+ Worker \S+ is stuck", re.MULTILINE)


def length_that_takes(seconds: float) -> int:
    """How many characters keep `Backtrack` busy for so much of a processor's time: each one more doubles it."""
    length, took_s = 18, 0.0
    while took_s < 0.1:
        length += 1
        started_s = time.process_time()
        re.match("(a+)+b", "a" * length)
        took_s = time.process_time() - started_s
    while took_s < seconds:
        length, took_s = length + 1, took_s * 2
    return length


@pytest.mark.timeout(180)
def test_a_match_that_holds_the_interpreter_for_three_leases_loses_nothing(site: Site) -> None:
    """No thread of the worker can run meanwhile: its heart beats, another worker takes nothing, the job runs once."""
    job = Backtrack.dispatch(length_that_takes(3 * LEASE_S))
    held = site.work()
    site.wait_for("start backtrack")
    site.work("--queues", "other")
    site.work()
    record = site.finished(job.id, 150)
    assert record.result > 2.5 * LEASE_S, "it must be longer than a lease to show anything"
    assert (record.state, record.attempts, record.recoveries) == ("completed", 1, 0)
    assert site.journal("start backtrack") == [held.process.pid]
    site.check()


@pytest.mark.parametrize("seconds", [3.5 * LEASE_S, pytest.param(30, marks=pytest.mark.slow)])
def test_a_python_loop_loses_nothing(site: Site, seconds: float) -> None:
    """All threads are busy in pure Python for many leases: beats go on, each job runs once."""
    jobs = [Loop.dispatch(seconds) for _ in range(2)]
    site.work()
    site.wait_for("start loop", 2)
    site.work()
    records = [site.finished(job.id, seconds + 20) for job in jobs]
    assert [(record.state, record.attempts, record.recoveries) for record in records] == [("completed", 1, 0)] * 2
    assert len(site.journal("start loop")) == 2


def test_a_worker_that_is_held_up_is_still_listed(site: Site) -> None:
    """Also while it cannot tell itself; its run is overdue once its time is over."""
    Stick.options(timeout_s=5 * LEASE_S).dispatch()
    site.work()
    site.wait_for("start stick")
    (before,) = site.workers(1)

    def has_beaten() -> bool:
        (now,) = site.queue.workers()
        return (now.last_beat_at - before.last_beat_at).total_seconds() > 1.5 * LEASE_S

    wait_until(has_beaten, PATIENCE_S)


def test_a_worker_that_is_stuck_for_good_is_killed(site: Site) -> None:
    """Its pump has not moved for the longest time-out and a lease: it dies, and its job runs elsewhere."""
    job = Stick.dispatch()
    stuck = site.work()
    site.wait_for("start stick")
    started_s = time.monotonic()
    other = site.work()
    assert stuck.process.wait(PATIENCE_S) == -signal.SIGKILL
    assert Stick.timeout_s is not None
    least_s = Stick.timeout_s + LEASE_S
    assert least_s - 0.5 < time.monotonic() - started_s < least_s + 4
    assert ERROR_LINE.search(stuck.printed), stuck.printed
    record = site.finished(job.id)
    assert (record.state, record.result, record.recoveries) == ("completed", "free", 1)
    assert site.journal("start stick") == [stuck.process.pid, other.process.pid]
    assert f"-{stuck.process.pid}-" in record.history[0].worker
    site.check()


def test_a_blocking_call_is_overdue_and_kills_nothing(site: Site) -> None:
    """What releases the interpreter keeps its worker working for others, however long it takes."""
    Blocked.dispatch(60)
    worker = site.work()
    site.wait_for("start blocked")

    def is_overdue() -> bool:
        (info,) = site.workers(1)
        return [run.overdue for run in info.running] == [True]

    wait_until(is_overdue, PATIENCE_S)
    until_s = time.monotonic() + 2 * LEASE_S
    wait_until(lambda: time.monotonic() > until_s, 3 * LEASE_S)
    assert site.finished(Nap.dispatch("b").id).result == worker.process.pid
    assert worker.process.poll() is None


@pytest.mark.needs("ps")
@pytest.mark.needs("valkey-server")
def test_leases_are_kept_on_an_embedded_server(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heart finds its socket; while it beats it takes little memory, as it loads neither Flask nor the package."""
    monkeypatch.setenv("QUEUE_REDIS_URL", "embedded://queue")
    app = Flask("embedded", instance_path=str(site.commands.folder / "instance"))
    queue.init_app(app)
    with app.app_context():
        job = Stick.options(timeout_s=60).dispatch()
        worker = site.work(QUEUE_REDIS_URL="embedded://queue")
        site.wait_for("start stick")
        site.work(QUEUE_REDIS_URL="embedded://queue")
        until_s = time.monotonic() + 2 * LEASE_S
        wait_until(lambda: time.monotonic() > until_s, 3 * LEASE_S)
        record = queue.get(job.id)
        assert (record.state, record.recoveries) == ("active", 0)
        assert len(queue.workers()) == 2
    (heart,) = hearts(worker.process.pid)
    assert 20 * 1024 < rss_kib(heart) < 40 * 1024
    broker_of(app).close()


@pytest.mark.needs("ps")
def test_a_heart_dies_with_its_worker(site: Site) -> None:
    """Whatever has ended the worker, nothing keeps its leases for it."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        worker = site.work()
        wait_until(lambda worker=worker: hearts(worker.process.pid), PATIENCE_S)  # type: ignore[misc]
        (heart,) = hearts(worker.process.pid)
        worker.send(number)
        worker.end()
        wait_until(lambda heart=heart: not is_alive(heart), 3)  # type: ignore[misc]


@pytest.mark.needs("ps")
def test_a_heart_dies_with_its_worker_whatever_a_job_has_left(site: Site) -> None:
    """A process that a job has forked holds the worker's end of the pipe, and is not the worker."""
    worker = site.work()
    site.finished(Fork.dispatch().id)
    (heart,) = hearts(worker.process.pid)
    worker.send(signal.SIGKILL)
    worker.end()
    wait_until(lambda: not is_alive(heart), 3)


@pytest.mark.needs("ps")
def test_a_heart_that_dies_is_replaced(site: Site) -> None:
    """And the log tells of it."""
    worker = site.work()
    wait_until(lambda: hearts(worker.process.pid), PATIENCE_S)
    (first,) = hearts(worker.process.pid)
    for signal_that_it_ignores in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(first, signal_that_it_ignores)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: hearts(worker.process.pid) not in ([], [first]), PATIENCE_S)
    worker.wait_for("ended with status -9")


@pytest.mark.needs("ps")
def test_an_idle_process_costs_next_to_nothing(site: Site, redis_client: Redis) -> None:
    """At most two commands a second for a process with three queues and its heart, which takes less than 16 MB."""
    worker = site.work(QUEUE_LEASE_S="15")
    site.finished(Nap.dispatch("once").id)

    def commands() -> int:
        stats = redis_client.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha", "bzpopmin"))

    before, until_s = commands(), time.monotonic() + 8
    wait_until(lambda: time.monotonic() > until_s, 10)
    assert (commands() - before) / 8 <= 2
    (heart,) = hearts(worker.process.pid)
    assert rss_kib(heart) < 16 * 1024
