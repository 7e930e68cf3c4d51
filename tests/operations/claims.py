"""A worker that takes a job, and does not get on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_queue.current import broker_of
from flask_queue.store.transitions import CycleRequest

if TYPE_CHECKING:
    from tests.worker.conftest import Bench


def claim(bench: Bench, queue: str = "default") -> None:
    """Take the queue's next job as a worker would that does not get on with it."""
    broker = broker_of(bench.app)
    broker.store.transitions.cycle(broker.store.client, "w1", broker.retention, [CycleRequest(queue, 1, 1)])
