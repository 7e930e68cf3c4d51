"""What happened lately, with jobs that a worker runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from flask_queue import FlaskQueue, Job, Queue, UnknownQueue

if TYPE_CHECKING:
    from tests.worker.conftest import MakeBench


class Nap(Job):
    def handle(self, for_s: float) -> None:
        time.sleep(for_s)


class Boom(Job):
    max_retries = 1
    backoff = (0,)
    queue_name = "emails"

    def handle(self) -> None:
        raise ValueError("no such user")


def total(queue: FlaskQueue, name: str | None = None) -> tuple[int, ...]:
    """All counts of the last hours."""
    steps = queue.metrics(name, minutes=120, step_minutes=60)
    return tuple(
        sum(getattr(step, count) for step in steps) for count in ("dispatched", "completed", "failed", "retried")
    )


def test_runs_are_counted_and_timed(make_bench: MakeBench) -> None:
    """Each queue by itself, and all together."""
    bench = make_bench(Nap, Boom, queues=[Queue("default", concurrency=2), Queue("emails")])
    jobs = [Nap.dispatch(0.1), Nap.dispatch(0.1), Boom.dispatch()]
    with bench.working():
        for job in jobs:
            bench.finished(job.id)
    queue = bench.queue
    assert (total(queue, "default"), total(queue, "emails"), total(queue)) == ((2, 2, 0, 0), (1, 0, 1, 1), (3, 2, 1, 1))
    timed = [step for step in queue.metrics("default", minutes=10) if step.runtime_ms]
    for step in timed:
        assert step.runtime_ms is not None
        assert step.wait_ms is not None
        assert 85 <= step.runtime_ms.p50 <= step.runtime_ms.p95 <= step.runtime_ms.p99 < 2000
        assert 0 <= step.wait_ms.p50 < 10_000
    assert 1 <= len(timed) <= 2
    with pytest.raises(UnknownQueue):
        queue.metrics("nowhere")
