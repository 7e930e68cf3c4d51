"""Programs that drain no-op jobs: `python -m tests.worker.drains ours|stock URL JOBS`, and what they measured.

They print how many a second, and the processor time of each in microseconds, of the process with all its threads.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

THREADS = 8


class Drain(NamedTuple):
    """What one program measured."""

    per_s: float
    cpu_us: float


def drained(kind: str, jobs: int) -> Drain:
    """Run a program on a server of its own."""
    from tests.servers import RedisServer

    with RedisServer(tcp=True) as server:
        command = [sys.executable, "-m", "tests.worker.drains", kind, server.url, str(jobs)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return Drain(*map(float, done.stdout.splitlines()[-1].split()))


def ours(url: str, jobs: int) -> Drain:
    """Full state kept, app context pushed, default middleware."""
    from flask import Flask

    from flask_queue import FlaskQueue, Job, Queue
    from flask_queue.worker import Worker

    class Nothing(Job):
        def handle(self, number: int) -> None:
            pass

    app = Flask("drain")
    app.config["QUEUE_REDIS_URL"] = url
    queue = FlaskQueue(app, queues=[Queue("default", concurrency=THREADS)], jobs=[Nothing])
    with app.app_context():
        Nothing.dispatch_many([{"number": number} for number in range(jobs)])
        worker = Worker(queue.broker, is_burst=True)

        def drain() -> None:
            worker.start()
            assert worker.join(120)

        measured = measure(drain, jobs)
        worker.stop()
        assert queue.counts()["default"]["completed"] == min(jobs, 10_000)
    return measured


def stock(url: str, jobs: int) -> Drain:
    """Dramatiq's RedisBroker and Worker with its default middleware."""
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=url)
    dramatiq.set_broker(broker)

    @dramatiq.actor
    def nothing(number: int) -> None:
        pass

    for number in range(jobs):
        nothing.send(number)
    worker = dramatiq.Worker(broker, worker_threads=THREADS)

    def drain() -> None:
        worker.start()
        broker.join("default")
        worker.join()

    measured = measure(drain, jobs)
    worker.stop()
    return measured


def measure(drain: Callable[[], None], jobs: int) -> Drain:
    """Jobs a second, and microseconds of processor time for each."""
    cpu_s, started_s = time.process_time(), time.perf_counter()
    drain()
    return Drain(jobs / (time.perf_counter() - started_s), (time.process_time() - cpu_s) / jobs * 1e6)


if __name__ == "__main__":
    kind, address, count = sys.argv[1:]
    print(*{"ours": ours, "stock": stock}[kind](address, int(count)))
