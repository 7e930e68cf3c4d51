"""An app whose pipeline goes from one queue to another, and a worker that dies in between.

Run as a module it is the worker: it ends itself, as `kill -9` would, when the follow-up is stored and its own job has
not been settled.
"""

from __future__ import annotations

import os
import signal
import sys

import redis
from dramatiq import Broker, MessageProxy, Middleware
from flask import Flask

from flask_queue import FlaskQueue, Queue
from flask_queue.current import broker_of
from flask_queue.worker import Worker

#: A list of what ran, in order.
RAN = "ran"


class DiesBeforeSettling(Middleware):
    """Ends the process after all that a run sends, before the pump settles it."""

    def before_ack(self, broker: Broker, message: MessageProxy) -> None:
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)


def make_app(url: str, *, dies: bool = False) -> Flask:
    """An app with the actors `first`, on the queue `default`, and `second`, on the queue `other`."""
    app = Flask(__name__)
    # The follow-up is gone as soon as it has run: only its id is remembered.
    app.config.update(QUEUE_REDIS_URL=url, QUEUE_LEASE_S=1, QUEUE_KEEP_COMPLETED=0)
    queue = FlaskQueue(app, queues=[Queue("default"), Queue("other")], middleware=[DiesBeforeSettling] if dies else [])

    @queue.actor(actor_name="first")
    def first() -> str:
        _note(url, "first")
        return "from first"

    @queue.actor(actor_name="second", queue_name="other")
    def second(result: str) -> None:
        _note(url, f"second {result}")

    return app


def _note(url: str, what: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.rpush(RAN, what)


if __name__ == "__main__":
    app = make_app(sys.argv[1], dies=True)
    Worker(broker_of(app), {"default": 1}).start()
    signal.pause()
