"""Processes that have done their share: how much that is, and who takes over."""

from __future__ import annotations

import signal
import time

import pytest

from flask_queue.worker.limits import MIB, Limits
from tests.servers import free_port
from tests.supervision.conftest import PATIENCE_S, Site, children, probe
from tests.supervision.program import Grow, Nap
from tests.support import wait_until


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        (Limits(), None),
        (Limits(jobs=10, time_s=5, memory_mb=3), None),
        (Limits(jobs=9), "it has run 9 jobs (--max-jobs)"),
        (Limits(time_s=4.5), "it has run for 4 s (--max-time)"),
        (Limits(memory_mb=2), "it takes 2 MB (--max-memory)"),
    ],
)
def test_a_limit_is_reached_at_its_number(limits: Limits, reached: str | None) -> None:
    """And says which one it is."""
    assert limits.reached(jobs=9, age_s=4.5, rss_bytes=2 * MIB) == reached


@pytest.mark.parametrize("threads", [1, 4])
def test_max_jobs_is_exact(site: Site, threads: int) -> None:
    """The process starts so many and no more, ends with 0, and leaves the rest waiting and unspent, in order."""
    jobs = [Nap.dispatch(f"{number}") for number in range(60)]
    done = site.commands.run("queue", "work", "--max-jobs", "25", "--concurrency", f"default={threads}")
    assert done.returncode == 0, done.stderr
    counts = site.queue.counts()["default"]
    assert (counts["completed"], counts["waiting"], sum(counts.values())) == (25, 35, 60)
    rest = site.queue.jobs(state="waiting").records
    assert {(record.attempts, record.recoveries, record.history) for record in rest} == {(0, 0, ())}
    if threads == 1:
        assert [record.id for record in rest] == [job.id for job in jobs[25:]]
    site.check()


def test_max_time_lets_running_jobs_finish(site: Site) -> None:
    """However long they take: the shutdown time is for signals."""
    job = Nap.dispatch("n", 3)
    started_s = time.monotonic()
    done = site.commands.run("queue", "work", "--max-time", "1", QUEUE_SHUTDOWN_TIMEOUT_S="0.5")
    assert done.returncode == 0
    assert time.monotonic() - started_s > 3
    assert site.queue.get(job.id).state == "completed"
    assert "it has run for" in done.stderr


def test_a_signal_ends_the_wait_for_running_jobs(site: Site) -> None:
    """Who has reached a limit still heeds SIGTERM within the shutdown time."""
    job = Nap.dispatch("n", 60)
    worker = site.work("--max-time", "1", QUEUE_SHUTDOWN_TIMEOUT_S="1")
    worker.wait_for("Finishing what runs")
    worker.send(signal.SIGTERM)
    assert worker.end() == 0
    assert site.queue.get(job.id).state == "waiting"


def test_max_memory(site: Site) -> None:
    """Who takes more ends with 0 once its jobs are done."""
    job = Grow.dispatch(300)
    done = site.commands.run("queue", "work", "--max-memory", "250")
    assert done.returncode == 0
    assert site.queue.get(job.id).state == "completed"
    assert "(--max-memory)" in done.stderr


@pytest.mark.needs("ps")
def test_a_supervisor_replaces_who_has_done_its_share(site: Site) -> None:
    """All jobs are done, by many processes of which none did much more than it should."""
    for number in range(60):
        Nap.dispatch(f"{number}", 0.5)
    supervisor = site.work("--processes", "2", "--max-jobs", "10")
    wait_until(lambda: site.queue.counts()["default"]["completed"] == 60, 50)
    pids = [pid for number in range(60) for pid in site.journal(f"end {number}")]
    assert len(set(pids)) >= 3
    assert {record.recoveries for record in site.queue.jobs(state="completed", limit=100).records} == {0}
    assert "is to be replaced: it has run 1" in supervisor.printed
    assert "ERROR" not in supervisor.printed
    supervisor.send(signal.SIGTERM)
    assert supervisor.end() == 0
    site.check()


@pytest.mark.needs("ps")
def test_processes_are_replaced_one_at_a_time(site: Site) -> None:
    """Two reach their time together: one of them claims at every moment, until both are new."""
    port = free_port()
    supervisor = site.work("--processes", "2", "--max-time", "4", "--health-port", str(port))
    first = {worker.pid for worker in site.workers(2)}
    fewest = 2
    started_s = time.monotonic()

    def ready() -> int:
        _, data = probe(port, "/readyz")
        return sum(process["ready"] for process in data["processes"])

    def are_all_new() -> bool:
        nonlocal fewest
        fewest = min(fewest, ready())
        now = set(children(supervisor.process.pid))
        return len(now) == 2 and not now & first

    wait_until(lambda: ready() == 2, PATIENCE_S)
    wait_until(are_all_new, 40, interval=0.05)
    assert time.monotonic() - started_s > 2
    assert fewest == 1
