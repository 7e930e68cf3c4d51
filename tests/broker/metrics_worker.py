"""A worker with Dramatiq's Prometheus middleware, which keeps state of its process. Run it as a module.

It runs what is there, and prints what the middleware counted.
"""

from __future__ import annotations

import sys

from dramatiq import Middleware
from dramatiq.middleware.prometheus import DB_PATH, Prometheus
from flask import Flask

from flask_queue import FlaskQueue
from flask_queue.current import broker_of
from flask_queue.worker import Worker


def make_app(url: str) -> Flask:
    """An app with the actors `succeed` and `fail`."""
    app = Flask(__name__)
    app.config["QUEUE_REDIS_URL"] = url
    queue = FlaskQueue(app, middleware=[_prometheus])

    @queue.actor(actor_name="succeed")
    def succeed() -> None:
        pass

    @queue.actor(actor_name="fail", max_retries=1, min_backoff=1, max_backoff=2)
    def fail() -> None:
        raise ValueError("no")

    return app


def _prometheus() -> Middleware:
    return Prometheus()


def _work(app: Flask) -> None:
    broker = broker_of(app)
    broker.boot_process()
    worker = Worker(broker, is_burst=True)
    worker.start()
    worker.join()
    worker.stop()


def _print() -> None:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, DB_PATH)  # type: ignore[no-untyped-call]
    print(generate_latest(registry).decode())


if __name__ == "__main__":
    _work(make_app(sys.argv[1]))
    _print()
