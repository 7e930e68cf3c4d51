"""How soon jobs of a killed worker run again, in many trials."""

from __future__ import annotations

import time

import pytest

from tests.support import wait_until
from tests.worker.app import Journaled
from tests.worker.test_processes import LEASE_S, Fleet, fleet

__all__ = ["fleet"]

#: Longer than a trial.
LONG_S = 120.0
THREADS = 4


def recovery_s(fleet: Fleet, trial: int) -> float:
    """Kill a worker while all its threads are busy; the seconds until another has begun with all its jobs."""
    numbers = [trial * THREADS + place for place in range(THREADS)]
    victim = fleet.start()
    Journaled.dispatch_many([{"number": number, "seconds": LONG_S} for number in numbers])
    wait_until(lambda: all(fleet.journal("start")[number] == 1 for number in numbers), 15)
    heir = fleet.start()
    wait_until(lambda: fleet.has_beaten(heir), 15)
    killed_s = time.monotonic()
    victim.kill()
    wait_until(lambda: all(fleet.journal("start")[number] == 2 for number in numbers), 15, interval=0.02)
    took_s = time.monotonic() - killed_s
    fleet.check()
    heir.kill()
    heir.wait()
    fleet.bench.broker.store.client.flushall()
    return took_s


def check_trials(fleet: Fleet, count: int) -> str:
    took_s = [recovery_s(fleet, trial) for trial in range(count)]
    shown = ", ".join(f"{seconds:.2f}" for seconds in sorted(took_s))
    assert max(took_s) <= LEASE_S + 2, shown
    return f"recovered within {shown} s; the lease is {LEASE_S} s"


def test_a_killed_worker_is_replaced_within_the_lease(fleet: Fleet) -> None:
    """At most 2 s after its lease could be over, in each of some trials."""
    check_trials(fleet, 2)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_worker_is_replaced_within_the_lease_in_20_of_20_trials(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same, over and over."""
    shown = check_trials(fleet, 20)
    with capsys.disabled():
        print(f"\n20 kills: {shown}")
