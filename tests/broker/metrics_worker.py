"""A worker with Dramatiq's Prometheus middleware, which keeps state of its process. Run it as a module.

It runs what is there, and prints what the health port of a worker on this host would answer.
"""

from __future__ import annotations

import sys

from dramatiq import Middleware
from dramatiq.middleware.prometheus import Prometheus
from flask import Flask

from flask_queue import FlaskQueue
from flask_queue.cli.scrape import metrics_page
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


if __name__ == "__main__":
    app = make_app(sys.argv[1])
    _work(app)
    print(metrics_page(broker_of(app)).text())
