"""What is known of the runs of a worker, and that no run waits for another to be able to begin."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flask_queue.delivery import Delivery
from flask_queue.outcome import Completed, GivenBack
from flask_queue.worker.executor import Ended
from flask_queue.worker.heart import Pulse
from flask_queue.worker.running import Running
from tests.support import wait_until

THREADS = 8


class Bench:
    """Runs that go on until they are let go."""

    def __init__(self, limit: int | None = None) -> None:
        self.gate = threading.Event()
        self.pulse = Pulse()
        self.limits: list[int] = []
        self.running = Running(
            self._run, lambda delivery: cast(Any, delivery).lasts_s, self.pulse, limit, lambda: self.limits.append(1)
        )
        self._threads: list[threading.Thread] = []

    def _run(self, delivery: Delivery) -> Ended:
        self.gate.wait(10)
        return Ended(delivery, Completed(), 0, 0.0)

    def begin(self, *timeouts_s: float) -> None:
        """Begin runs with these time-outs."""
        before = len(self.running.look())
        for timeout_s in timeouts_s:
            thread = threading.Thread(target=self.running.run, args=[SimpleNamespace(lasts_s=timeout_s)])
            thread.start()
            self._threads.append(thread)
        wait_until(lambda: len(self.running.look()) == before + len(timeouts_s))

    def end(self) -> None:
        """Let them end."""
        self.gate.set()
        for thread in self._threads:
            thread.join(10)


@pytest.fixture
def bench() -> Any:
    bench = Bench()
    yield bench
    bench.end()


def test_the_pulse_expects_the_longest_that_runs(bench: Bench) -> None:
    """And when it has ended, no more than that of the others."""
    bench.begin(5.0, 20.0, 10.0)
    assert bench.pulse.longest_s == 20.0
    assert {run.timeout_s for run in bench.running.look()} == {5.0, 20.0, 10.0}
    bench.end()
    assert bench.running.look() == []
    assert bench.pulse.longest_s == 0.0
    assert bench.running.count == 3


def test_a_run_waits_for_no_lock_to_begin(bench: Bench) -> None:
    """One for all would be handed on from thread to thread, each of which waits for the interpreter with it."""
    bench.begin(20.0)
    with bench.running._lock:
        bench.gate.set()
        thread = threading.Thread(target=bench.running.run, args=[SimpleNamespace(lasts_s=10.0)])
        thread.start()
        thread.join(5)
        assert not thread.is_alive()


def test_a_long_run_that_begins_during_a_look_is_expected(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever in the look it begins."""
    bench.begin(20.0)
    expect = bench.running._expect

    def late(longest_s: float) -> None:
        monkeypatch.undo()
        threading.Thread(target=bench.running.run, args=[SimpleNamespace(lasts_s=15.0)]).start()
        wait_until(lambda: len(bench.running._runs) == 2)
        expect(1.0)

    monkeypatch.setattr(bench.running, "_expect", late)
    bench.running.look()
    wait_until(lambda: bench.pulse.longest_s == 15.0)


def test_all_runs_are_counted(bench: Bench) -> None:
    """By threads that begin at the same time."""
    bench.gate.set()

    def run() -> None:
        for _ in range(500):
            bench.running.run(cast(Delivery, SimpleNamespace(lasts_s=1.0)))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.running.run(cast(Delivery, SimpleNamespace(lasts_s=1.0)))
    assert bench.running.count == THREADS * 500 + 1


def test_no_more_start_than_may() -> None:
    """Those beyond go back."""
    bench = Bench(limit=3)
    bench.gate.set()
    bench.running.close()
    outcomes = []

    def run() -> None:
        outcomes.append(type(bench.running.run(cast(Delivery, SimpleNamespace(lasts_s=1.0))).outcome))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [Completed] * 3 + [GivenBack] * (THREADS - 3)
    assert (bench.running.count, bench.limits) == (3, [1])
