"""The application whose workers live through a failover: copied to `app.py`, where Flask finds it."""

from __future__ import annotations

import os
import time

from flask import Flask

from flask_queue import FlaskQueue, Job, Queue

QUEUES = ("default", "emails", "reports", "images")


class Note(Job):
    """Writes down that it ran, in a file that no failover touches."""

    def handle(self, seconds: float = 0) -> None:
        time.sleep(seconds)
        journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND)
        os.write(journal, f"{self.job_id} {time.time():.3f}\n".encode())
        os.close(journal)


queue = FlaskQueue(queues=[Queue(name, concurrency=2) for name in QUEUES], jobs=[Note])


def create_app() -> Flask:
    """Where Redis is, and the rest, comes from the environment."""
    app = Flask(__name__)
    queue.init_app(app)
    return app
