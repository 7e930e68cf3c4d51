"""An app with a job in each state, before every example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, Queue
from flask_queue.current import broker_of
from flask_queue.outcome import Completed, Failed
from flask_queue.record import JobError
from flask_queue.store.transitions import CycleRequest, Settlement
from tests.store.checks import check_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Echo(Job):
    def handle(self, data: Any = None) -> Any:
        return data


class Unique(Job):
    unique_for_s = 60

    def handle(self, user_id: int, *, plan: str = "free") -> None: ...


class Stage:
    """The app, inside its context."""

    def __init__(self, app: Flask) -> None:
        self.queue = FlaskQueue(app, queues=[Queue("default"), Queue("other")], jobs=[Echo, Unique])
        self._broker = broker_of(app)

    def set(self) -> None:
        """One job of each state."""
        store = self._broker.store
        store.client.flushdb()
        error = JobError("ValueError", "no", "Traceback")
        for local_id in "acf":
            Echo.options(job_id=local_id).dispatch()
        ends = [Settlement("c", 1, 1, Completed('"done"')), Settlement("f", 1, 1, Failed(error))]
        for request in (CycleRequest("default", 3, 3), CycleRequest("default", settlements=ends)):
            store.transitions.cycle(store.client, "worker", self._broker.retention, [request])
        for local_id in "wx":
            Echo.options(job_id=local_id).dispatch()
        Echo.options(job_id="d", delay_s=60).dispatch()
        store.actions.cancel("default", ["x"])

    def check(self) -> None:
        """Every queue is whole, and nobody has written elsewhere."""
        check_all(self._broker.store.client, "flask-queue")


@pytest.fixture
def stage(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("QUEUE_REDIS_URL", redis_url)
    app = Flask("app", instance_path=str(tmp_path))
    with app.app_context():
        yield Stage(app)
    broker_of(app).close()
