"""What every example may take for granted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from flask import Flask

import flask_queue
from flask_queue import FlaskQueue, Job, Queue, signals
from flask_queue.current import broker_of

QUEUES = ("default", "emails", "images", "webhooks", "crm", "payments")


class SendWelcomeEmail(Job):
    """The job of examples that are about something else."""

    queue_name = "emails"

    def handle(self, user_id: int, *, plan: str = "free") -> None: ...


@pytest.fixture
def names(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What every example may take for granted: our public names, an app with queues and a job, and its context."""
    monkeypatch.setenv("QUEUE_REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    app = Flask("shop", instance_path=str(tmp_path))
    queue = FlaskQueue(app, queues=[Queue(name) for name in QUEUES], admin=False)
    public = {name: getattr(flask_queue, name) for name in flask_queue.__all__}
    shop = {"Flask": Flask, "app": app, "queue": queue, "SendWelcomeEmail": SendWelcomeEmail}
    with app.app_context(), unconnected():
        yield {"__name__": "shop", **public, **shop}
    broker_of(app).close()


@contextmanager
def unconnected() -> Iterator[None]:
    """What an example connects to a signal hears nothing of the tests after it."""
    told = [getattr(signals, name) for name in signals.__all__]
    before = [dict(signal.receivers) for signal in told]
    yield
    for signal, receivers in zip(told, before, strict=True):
        for receiver in [signal.receivers[key] for key in signal.receivers.keys() - receivers.keys()]:
            signal.disconnect(receiver() if isinstance(receiver, ref) else receiver)
