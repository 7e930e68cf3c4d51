"""Worker processes that are killed, and what becomes of their jobs."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flask_queue import Queue
from tests.store.checks import check_queue
from tests.support import wait_until
from tests.worker.app import Journaled, Poison, Punctual, Told
from tests.worker.conftest import Bench, MakeBench

LEASE_S = 2


class Fleet:
    """Worker processes on one server, and the journal that their jobs write."""

    def __init__(self, bench: Bench, folder: Path, url: str) -> None:
        self.bench = bench
        self._journal = folder / "journal"
        self._environment = {
            **os.environ,
            "QUEUE_REDIS_URL": url,
            "QUEUE_LEASE_S": str(LEASE_S),
            "JOURNAL": str(self._journal),
        }
        self._log = (folder / "log").open("ab")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker process; it may take a second until it claims."""
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "tests.worker.app", "queue", "work", *options],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd=Path(__file__).parents[2],
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        """Kill what is left."""
        for process in self.processes:
            process.kill()
            process.wait()
        self._log.close()

    def journal(self, event: str) -> Counter[int]:
        """How often each job said that."""
        lines = self._journal.read_text().splitlines() if self._journal.exists() else []
        return Counter(int(number) for what, number, _ in map(str.split, lines) if what == event)

    def has_beaten(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether its worker has begun to work."""
        store = self.bench.broker.store
        workers: Any = store.client.zrange(store.transitions.keys("default")["workers"], 0, -1)
        return any(f"-{process.pid}-".encode() in worker for worker in workers)

    def count(self, state: str) -> int:
        return self.bench.queue.counts()["default"][state]

    def check(self) -> None:
        check_queue(self.bench.broker.store.client, self.bench.broker.store.transitions.keys("default"))


@pytest.fixture
def fleet(make_bench: MakeBench, tmp_path: Path, redis_url: str) -> Iterator[Fleet]:
    """Processes end with the test."""
    bench = make_bench(
        Journaled, Poison, Punctual, Told, queues=[Queue("default", concurrency=4)], QUEUE_LEASE_S=LEASE_S
    )
    made = Fleet(bench, tmp_path, redis_url)
    try:
        yield made
    finally:
        made.end()


def test_jobs_of_a_killed_worker_run_again_within_the_lease(fleet: Fleet) -> None:
    """kill -9 with jobs running: all of them run again within lease + 2 s, and their records tell the story."""
    records = Journaled.dispatch_many([{"number": number, "seconds": 30 if number < 4 else 0} for number in range(6)])
    victim = fleet.start()
    wait_until(lambda: len(fleet.journal("start")) == 4, 15)
    fleet.start()
    wait_until(lambda: len(fleet.journal("end")) == 2, 15)
    victim.kill()
    killed = time.monotonic()
    wait_until(lambda: all(fleet.journal("start")[number] == 2 for number in range(4)), LEASE_S + 2, interval=0.05)
    assert time.monotonic() - killed <= LEASE_S + 2
    for record in map(fleet.bench.queue.get, (record.id for record in records[:4])):
        assert (record.state, record.attempts, record.recoveries) == ("active", 0, 1)
        (lost,) = record.history
        assert (lost.number, lost.outcome, f"-{victim.pid}-" in lost.worker) == (1, "lost", True)
    fleet.check()


def test_a_job_that_kills_its_workers_takes_no_others_with_it(fleet: Fleet) -> None:
    """One poison pill among 7 innocent jobs: it fails with WorkerLost, which names the workers; they complete."""
    innocent = Journaled.dispatch_many([{"number": number, "seconds": 1} for number in range(7)])
    poison = Poison.dispatch().id
    workers = [fleet.start("--concurrency", "default=8")]

    def is_over() -> bool:
        if workers[-1].poll() is not None:
            workers.append(fleet.start("--concurrency", "default=8"))
        return fleet.count("completed") == 7 and fleet.count("failed") == 1

    wait_until(is_over, 50, interval=0.1)
    record = fleet.bench.queue.get(poison)
    assert record.error is not None
    assert (record.error.type, record.recoveries) == ("WorkerLost", 4)
    deaths = [worker.pid for worker in workers if worker.poll() is not None]
    assert len(deaths) == 4
    assert all(f"-{pid}-" in record.error.message for pid in deaths)
    assert {fleet.bench.queue.get(job.id).recoveries for job in innocent} <= {0, 1, 2}
    fleet.check()


def test_a_worker_that_is_killed_in_a_hook_repeats_it(fleet: Fleet) -> None:
    """The end of the run was not stored: the job runs again, and its hook with it; its end is told once."""
    job_id = Told.dispatch(dies="hook").id
    first = fleet.start()
    assert first.wait(20) == -signal.SIGKILL
    assert fleet.count("active") == 1
    second = fleet.start()
    wait_until(lambda: fleet.journal("told")[0], 15)
    second.send_signal(signal.SIGTERM)
    assert second.wait(10) == 0
    assert (fleet.journal("hook")[0], fleet.journal("told")[0]) == (2, 1)
    record = fleet.bench.queue.get(job_id)
    assert (record.state, record.recoveries) == ("completed", 1)
    fleet.check()


def test_a_worker_that_is_killed_while_it_tells_of_an_end_does_not_repeat_it(fleet: Fleet) -> None:
    """The end was stored before: the job does not run again, nor is its end told again."""
    job_id = Told.dispatch(dies="told").id
    first = fleet.start()
    assert first.wait(20) == -signal.SIGKILL
    assert fleet.bench.queue.get(job_id).state == "completed"
    other = Told.dispatch(dies="").id
    second = fleet.start()
    fleet.bench.finished(other, 15)
    second.send_signal(signal.SIGTERM)
    assert second.wait(10) == 0
    assert (fleet.journal("hook")[0], fleet.journal("told")[0]) == (2, 2)
    assert fleet.bench.queue.get(job_id).recoveries == 0
    fleet.check()


def test_a_terminated_worker_gives_its_jobs_back(fleet: Fleet) -> None:
    """SIGTERM: what runs completes, what waits stays waiting, the process ends with 0."""
    Journaled.dispatch_many([{"number": number, "seconds": 1} for number in range(8)])
    worker = fleet.start()
    wait_until(lambda: len(fleet.journal("start")) == 4, 15)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert (fleet.count("completed"), fleet.count("waiting"), fleet.count("active")) == (4, 4, 0)
    fleet.check()


def test_a_stopped_worker_that_goes_on_changes_nothing_any_more(fleet: Fleet) -> None:
    """SIGSTOP for longer than the lease: another worker runs the job; the late end settles nothing, and is not told."""
    job_id = Journaled.dispatch(1, seconds=1).id
    frozen = fleet.start()
    wait_until(lambda: fleet.journal("start")[1] == 1, 15)
    frozen.send_signal(signal.SIGSTOP)
    fleet.start()
    wait_until(lambda: fleet.count("completed") == 1, 15)
    before = fleet.bench.queue.get(job_id)
    frozen.send_signal(signal.SIGCONT)
    wait_until(lambda: fleet.journal("end")[1] == 2)
    frozen.send_signal(signal.SIGTERM)
    assert frozen.wait(10) == 0
    assert fleet.bench.queue.get(job_id) == before
    assert fleet.journal("told")[0] == 1
    assert (before.recoveries, before.attempts) == (1, 1)
    fleet.check()


def test_workers_that_were_all_suspended_do_not_bury_each_other(fleet: Fleet) -> None:
    """A machine that slept for longer than the lease: whoever wakes first was silent itself, and gives others time."""
    Journaled.dispatch_many([{"number": number, "seconds": 5} for number in range(8)])
    workers = [fleet.start(), fleet.start()]
    wait_until(lambda: len(fleet.journal("start")) == 8, 20)
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    time.sleep(LEASE_S + 0.5)
    workers[0].send_signal(signal.SIGCONT)
    time.sleep(0.3)
    workers[1].send_signal(signal.SIGCONT)
    wait_until(lambda: fleet.count("completed") == 8, 15)
    assert set(fleet.journal("start").values()) == {1}
    fleet.check()


def test_a_busy_worker_passes_a_wake_marker_on(fleet: Fleet) -> None:
    """A job that comes while the worker that hears of it has no idle thread is taken by another, at once."""
    fleet.start("--concurrency", "default=1")
    fleet.start("--concurrency", "default=1")
    Journaled.dispatch_many([{"number": number, "seconds": 0.5} for number in range(2)])
    wait_until(lambda: len(fleet.journal("end")) == 2, 15)
    Journaled.dispatch(2, seconds=20)
    wait_until(lambda: fleet.journal("start")[2] == 1)
    waits = []
    for _ in range(10):
        record = fleet.bench.finished(Punctual.dispatch().id)
        assert record.wait_ms is not None
        waits.append(record.wait_ms)
    assert statistics.median(waits) < 50


@contextmanager
def murders(fleet: Fleet, every_s: float) -> Iterator[Callable[[], None]]:
    """Two workers, of which the older is killed and replaced whenever `every_s` have passed; call it often.

    Not before the younger one works: on a busy machine it takes long to start, and nobody would ever work.
    """
    alive = [fleet.start(), fleet.start()]
    last = time.monotonic()

    def tick() -> None:
        nonlocal last
        if time.monotonic() - last >= every_s and fleet.has_beaten(alive[1]):
            last = time.monotonic()
            alive.pop(0).kill()
            alive.append(fleet.start())

    yield tick


@pytest.mark.timeout(150)
def test_ten_thousand_jobs_survive_workers_that_are_killed(fleet: Fleet) -> None:
    """Two processes, one killed every 2 s: every job ran, all are completed, the store is whole."""
    total = 10_000
    Journaled.dispatch_many([{"number": number, "seconds": 0.01} for number in range(total)])
    with murders(fleet, 2) as tick:

        def done() -> bool:
            tick()
            return fleet.count("completed") == total

        wait_until(done, 120, interval=0.05)
    assert len(fleet.journal("end")) == total
    fleet.check()
    assert len(fleet.processes) >= 5
