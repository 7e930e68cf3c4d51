"""The app that the files of `deploy/` run: a page that dispatches, and tells which process it was."""

from __future__ import annotations

import os

from flask import Flask

from flask_queue import FlaskQueue, Job, Queue


class SendReport(Job):
    """What the schedule dispatches."""

    def handle(self, number: int = 0) -> None:
        """Nothing is sent."""


queue = FlaskQueue(queues=[Queue("default"), Queue("emails")], jobs=[SendReport])


def create_app() -> Flask:
    """Dispatches while it is made, so that there is a connection before a web server forks."""
    app = Flask(__name__)
    app.config.from_prefixed_env()
    queue.init_app(app)
    if os.environ.get("DISPATCH_EARLY"):
        with app.app_context():
            SendReport.dispatch(number=-1)

    @app.post("/<int:number>")
    def send(number: int) -> dict[str, object]:
        record = SendReport.dispatch(number=number)
        return {"pid": os.getpid(), "payload": queue.get(record.id).payload}

    return app
