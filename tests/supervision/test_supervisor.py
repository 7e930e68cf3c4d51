"""`flask queue work --processes N`: processes that are replaced, and that end together."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from flask_queue import JobState
from tests.cli.processes import let_a_moment_pass
from tests.supervision.conftest import LEASE_S, PATIENCE_S, Site, children, hearts, is_alive
from tests.supervision.program import Crash, Nap, Stick
from tests.support import wait_until

pytestmark = pytest.mark.untraced

if TYPE_CHECKING:
    from tests.cli.processes import Running

pytestmark = pytest.mark.needs("ps")


def supervised(site: Site, count: int, *words: str, **settings: str) -> tuple[Running, list[int]]:
    """A supervisor and its processes, once all of them are listed."""
    supervisor = site.work("--processes", str(count), *words, **settings)
    pids = [worker.pid for worker in site.workers(count)]
    assert sorted(pids) == sorted(children(supervisor.process.pid))
    return supervisor, pids


def assert_gone(*pids: int) -> None:
    wait_until(lambda: not [pid for pid in pids if is_alive(pid)], PATIENCE_S, what="the processes are gone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_all_gracefully(site: Site, number: signal.Signals) -> None:
    """Running jobs of every process finish; nothing is left, not even a heart."""
    jobs = [Nap.dispatch("n", 1) for _ in range(4)]
    supervisor, pids = supervised(site, 2)
    site.wait_for("start n", 4)
    assert set(site.journal("start n")) == set(pids)
    beating = [heart for pid in pids for heart in hearts(pid)]
    supervisor.send(number)
    assert supervisor.end() == 0
    assert [site.queue.get(job.id).state for job in jobs] == ["completed"] * 4
    assert f"{number.name}: ending 2 worker processes" in supervisor.printed
    assert_gone(*pids, *beating)
    assert "Traceback" not in supervisor.printed
    site.check()


def test_a_terminals_signal_reaches_each_process_once(site: Site) -> None:
    """Ctrl-C goes to the whole process group: that must not count twice for the workers."""
    job = Nap.dispatch("n", 1)
    supervisor, _ = supervised(site, 2)
    site.wait_for("start n")
    os.killpg(supervisor.process.pid, signal.SIGINT)
    assert supervisor.end() == 0
    assert site.queue.get(job.id).state is JobState.COMPLETED


def test_a_signal_to_every_process_is_one(site: Site) -> None:
    """A service manager may signal all of a service at once, processes and hearts included."""
    job = Nap.dispatch("n", 1)
    supervisor, pids = supervised(site, 2)
    site.wait_for("start n")
    beating = [heart for pid in pids for heart in hearts(pid)]
    for process in (*beating, *pids, supervisor.process.pid):
        os.kill(process, signal.SIGTERM)
    assert supervisor.end() == 0
    assert site.queue.get(job.id).state is JobState.COMPLETED


def test_a_process_that_dies_is_replaced_while_the_others_go_on(site: Site) -> None:
    """The log says how it died; its job runs again; the other process never stopped."""
    supervisor, pids = supervised(site, 2)
    job, steady = Crash.dispatch("crash"), Nap.dispatch("steady", 4)
    (victim,) = site.wait_for("start crash")[:1]
    supervisor.wait_for(f"Worker process {victim} was killed by SIGKILL; another starts in 0.5 s")
    (survivor,) = set(pids) - {victim}
    wait_until(lambda: len(children(supervisor.process.pid)) == 2, PATIENCE_S)
    assert survivor in children(supervisor.process.pid)
    assert site.finished(job.id).state == "completed"
    assert site.finished(steady.id).state == "completed"
    site.check()


def test_processes_that_die_at_their_start_are_replaced_ever_more_slowly(site: Site) -> None:
    """Until one of them lives; the supervisor never gives up."""
    supervisor, (first,) = supervised(site, 1)
    broken = site.commands.folder / "broken"
    broken.touch()
    os.kill(first, signal.SIGKILL)
    supervisor.wait_for("another starts in 0.5 s", "another starts in 1 s", "another starts in 2 s")
    broken.unlink()
    wait_until(lambda: [worker.pid != first for worker in site.queue.workers()] == [True], PATIENCE_S)
    assert supervisor.printed.count("RuntimeError: broken for a test") in (2, 3)


def test_a_process_that_is_stuck_is_replaced(site: Site) -> None:
    """Its heart kills it, the supervisor starts another, and the job completes there."""
    job = Stick.dispatch()
    supervisor = site.work("--processes", "1")
    record = site.finished(job.id, PATIENCE_S + 3 * LEASE_S)
    assert (record.state, record.recoveries) == ("completed", 1)
    assert re.search(r"Worker process \d+ was killed by SIGKILL", supervisor.printed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_process_that_was_told_to_end_by_others_is_replaced(site: Site, number: signal.Signals) -> None:
    """There are as many as were asked for until the supervisor itself is told to end."""
    supervisor, pids = supervised(site, 2)
    os.kill(pids[0], number)
    supervisor.wait_for(f"Worker process {pids[0]} ended with status 0; another starts")
    wait_until(lambda: len(children(supervisor.process.pid)) == 2, PATIENCE_S)


def test_processes_stop_when_their_supervisor_was_killed(site: Site) -> None:
    """What runs completes first; then they end by themselves."""
    job = Nap.dispatch("n", 1)
    supervisor, pids = supervised(site, 2)
    site.wait_for("start n")
    supervisor.send(signal.SIGKILL)
    assert_gone(*pids)
    assert site.queue.get(job.id).state is JobState.COMPLETED
    assert supervisor.printed.count("The supervisor is gone: finishing what runs") == 2


def test_a_second_signal_ends_all_at_once(site: Site) -> None:
    """The status says that it was not graceful; the job stays with its dead worker until the lease is over."""
    job = Nap.dispatch("n", 60)
    supervisor, pids = supervised(site, 2)
    site.wait_for("start n")
    supervisor.send(signal.SIGTERM)
    supervisor.wait_for("once more to end at once")
    let_a_moment_pass()
    started_s = time.monotonic()
    supervisor.send(signal.SIGTERM)
    assert supervisor.end() == 1
    assert time.monotonic() - started_s < 3
    assert "SIGTERM again: ending at once." in supervisor.printed
    assert_gone(*pids)
    assert site.queue.get(job.id).state is JobState.ACTIVE


def test_what_does_not_end_in_time_is_interrupted_and_given_back(site: Site) -> None:
    """All within the shutdown time."""
    job = Nap.dispatch("n", 60)
    supervisor, _ = supervised(site, 2, QUEUE_SHUTDOWN_TIMEOUT_S="4")
    site.wait_for("start n")
    started_s = time.monotonic()
    supervisor.send(signal.SIGTERM)
    assert supervisor.end() == 0
    assert time.monotonic() - started_s < 4
    record = site.queue.get(job.id)
    assert (record.state, record.attempts, record.recoveries) == ("waiting", 0, 0)


def test_a_process_that_cannot_end_is_killed_in_time(site: Site) -> None:
    """One whose interpreter a job holds hears no signal; the supervisor ends all the same, and says how."""
    Stick.options(timeout_s=60).dispatch()
    supervisor = site.work("--processes", "1", QUEUE_SHUTDOWN_TIMEOUT_S="3")
    (stuck,) = site.wait_for("start stick")
    started_s = time.monotonic()
    supervisor.send(signal.SIGTERM)
    assert supervisor.end() == 1
    assert 2.5 < time.monotonic() - started_s < 4
    assert f"The shutdown time is over. Worker processes {stuck} are killed" in supervisor.printed
    assert_gone(stuck)


def test_a_burst_ends_when_nothing_is_left(site: Site) -> None:
    """Processes that have nothing to do any more are not replaced."""
    for _ in range(20):
        Nap.dispatch("n", 0.05)
    supervisor = site.work("--processes", "2", "--burst")
    assert supervisor.end() == 0
    assert site.queue.counts()["default"]["completed"] == 20
    assert supervisor.printed.count("is not replaced") == 2
    assert site.queue.workers() == []
