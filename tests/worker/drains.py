"""Programs that drain no-op jobs and print how many a second: `python -m tests.worker.drains ours|stock URL JOBS`."""

from __future__ import annotations

import sys
import time

THREADS = 8


def ours(url: str, jobs: int) -> float:
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
        started = time.perf_counter()
        worker.start()
        assert worker.join(120)
        seconds = time.perf_counter() - started
        worker.stop()
        assert queue.counts()["default"]["completed"] == min(jobs, 10_000)
    return jobs / seconds


def stock(url: str, jobs: int) -> float:
    """Dramatiq's RedisBroker and Worker with its default middleware."""
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=url)  # type: ignore[no-untyped-call]
    dramatiq.set_broker(broker)

    @dramatiq.actor
    def nothing(number: int) -> None:
        pass

    for number in range(jobs):
        nothing.send(number)
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    started = time.perf_counter()
    worker.start()
    broker.join("default")
    worker.join()
    seconds = time.perf_counter() - started
    worker.stop()
    return jobs / seconds


if __name__ == "__main__":
    kind, address, count = sys.argv[1:]
    print({"ours": ours, "stock": stock}[kind](address, int(count)))
