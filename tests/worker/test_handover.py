"""From a worker that has stopped to the next one."""

from __future__ import annotations

import time

import redis

from flask_queue import Job
from flask_queue.worker.waiter import BLOCK_S
from tests.support import wait_until
from tests.worker.conftest import MakeBench


class Quick(Job):
    """Does nothing."""

    def handle(self) -> None:
        """Return."""


def test_a_stopped_worker_takes_no_wake_up_from_the_next(make_bench: MakeBench, redis_client: redis.Redis) -> None:
    """A worker that has stopped waits for nothing any more: the next one picks jobs up at once."""
    bench = make_bench(Quick)

    def waits() -> bool:
        return bool(redis_client.info("clients")["blocked_clients"])

    with bench.working():
        wait_until(waits)
    with bench.working():
        wait_until(waits)
        started_s = time.monotonic()
        bench.finished(Quick.dispatch().id)
    assert time.monotonic() - started_s < BLOCK_S / 2
