"""How late delayed jobs start while very many others are far from due."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from flask_queue.store.transitions import BATCH, NewEntry
from tests.support import wait_until
from tests.worker.app import Punctual
from tests.worker.test_processes import Fleet, fleet

__all__ = ["fleet"]

ROUNDS = 3
#: Near jobs of a round, and the time between two of them.
NEAR, STEP_S = 200, 0.015
#: The longest that 99 of 100 may be late, and where noise must not matter, half of them.
LATE_MS = 50
MESSAGE = b"Punctual\n{}"


def store_far_jobs(fleet: Fleet, count: int) -> None:
    """Store jobs that are due in an hour and later."""
    store = fleet.bench.broker.store
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        entries = [NewEntry(f"far{number}", MESSAGE, f"+{3_600_000 + number * 100}", nonce="n") for number in numbers]
        store.transitions.enqueue(store.client, "default", entries)


def lateness_ms(fleet: Fleet, far: int) -> Sequence[int]:
    """Dispatch jobs that are due one after the other; how late each started, in order."""
    first = datetime.now(UTC) + timedelta(seconds=1)
    before = fleet.count("completed")
    dues = [first + timedelta(seconds=STEP_S * number) for number in range(NEAR)]
    ids = [Punctual.options(at=due).dispatch().id for due in dues]
    wait_until(lambda: fleet.count("completed") == before + NEAR, 30, interval=0.1)
    assert fleet.count("delayed") == far
    waits = [fleet.bench.queue.get(job_id).wait_ms for job_id in ids]
    return sorted(wait for wait in waits if wait is not None)


def run_rounds(fleet: Fleet, far: int) -> list[tuple[int, int, int]]:
    """Median, 99th percentile and maximum of each round, in ms."""
    store_far_jobs(fleet, far)
    worker = fleet.start()
    wait_until(lambda: fleet.has_beaten(worker), 15)
    rounds = []
    for _ in range(ROUNDS):
        late = lateness_ms(fleet, far)
        assert len(late) == NEAR
        rounds.append((late[NEAR // 2], late[NEAR * 99 // 100 - 1], late[-1]))
    return rounds


def test_near_jobs_do_not_wait_behind_far_ones(fleet: Fleet) -> None:
    """Half of them start within 50 ms, with 10,000 far ones in front of them in the order of dispatch."""
    rounds = run_rounds(fleet, 10_000)
    assert min(median for median, _, _ in rounds) <= LATE_MS, rounds


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_99_of_100_delayed_jobs_start_within_50_ms(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """With 100,000 far ones pending; in the best round, as other processes of the machine only make it worse."""
    started_s = time.monotonic()
    rounds = run_rounds(fleet, 100_000)
    with capsys.disabled():
        print(f"\nlate by (median, p99, max) ms: {rounds}, in {time.monotonic() - started_s:.0f} s")
    assert min(p99 for _, p99, _ in rounds) <= LATE_MS
