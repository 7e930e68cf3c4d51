"""A worker process at full speed: `python -m tests.operations.busy URL` dispatches no-op jobs and runs them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flask import Flask

from flask_queue import FlaskQueue, Job, Queue
from flask_queue.worker import Worker

if TYPE_CHECKING:
    from typing import NoReturn

#: Nothing that a test has made is trimmed.
SETTINGS = {"QUEUE_KEEP_COMPLETED": 10**7, "QUEUE_KEEP_FAILED": 10**7}
QUEUES = [Queue("default", concurrency=4)]


class Nothing(Job):
    def handle(self, number: int = 0) -> None:
        pass


def make_app(url: str) -> tuple[Flask, FlaskQueue]:
    """The app of the test and of this process."""
    app = Flask("busy")
    app.config.update({"QUEUE_REDIS_URL": url, **SETTINGS})
    return app, FlaskQueue(app, queues=QUEUES, jobs=[Nothing])


def run(url: str) -> NoReturn:
    """Say that it runs, and go on."""
    app, queue = make_app(url)
    with app.app_context():
        Worker(queue.broker).start()
        print("runs", flush=True)
        while True:
            Nothing.dispatch_many([{"number": number} for number in range(20)])


if __name__ == "__main__":
    run(sys.argv[1])
