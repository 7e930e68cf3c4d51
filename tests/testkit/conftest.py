"""An extension with an app that has no Redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, Queue


class SendMail(Job):
    queue_name = "emails"

    def handle(self, user_id: int, *, plan: str = "free", extra: Any = None) -> None: ...


class Sync(Job):
    def handle(self) -> None: ...


def make_app(queue: FlaskQueue, name: str = "shop", **config: Any) -> Flask:
    """An app whose Redis is nowhere."""
    app = Flask(name)
    app.config.update(
        QUEUE_REDIS_URL="redis://127.0.0.1:1", QUEUE_DASHBOARD=False, QUEUE_DISPATCH_TIMEOUT_S=0.2, **config
    )
    queue.init_app(app)
    return app


@pytest.fixture
def queue() -> FlaskQueue:
    return FlaskQueue(queues=[Queue("default"), Queue("emails")], jobs=[SendMail, Sync])


@pytest.fixture
def app(queue: FlaskQueue) -> Iterator[Flask]:
    """The current app."""
    app = make_app(queue)
    with app.app_context():
        yield app
