"""A small, quiet session, after which faults are planted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from flask_queue import JobRecord
from flask_queue.current import broker_of
from flask_queue.store.transitions import CycleRequest
from flask_queue.worker import Worker
from tests.chaos import program
from tests.chaos.checker import check
from tests.chaos.journal import Fault, Line, Notes, Sent
from tests.chaos.session import collect, is_settled
from tests.store.driver import ANY_TIME_MS
from tests.support import wait_until


class Scene:
    """An app whose jobs have run, and what was noted of them."""

    def __init__(self, app: Flask, journal: Path) -> None:
        self.notes = Notes()
        self._app = app
        self._journal = journal
        self.broker = broker_of(app)
        self.client = self.broker.store.client

    def send(self, dispatch: Callable[[], JobRecord], expected: str = "completed", key: str | None = None) -> str:
        """Dispatch a job and note it; its id."""
        record = dispatch()
        self.notes.note(Sent(record.id, "done", time.time_ns(), expected, key))
        return record.id

    def claim(self, queue: str, worker: str) -> None:
        """Take the next job as a worker that comes no further."""
        request = CycleRequest(queue, want=1, idle=1)
        self.broker.store.transitions.cycle(self.client, worker, self.broker.retention, [request])

    def reap(self, queue: str, worker: str) -> None:
        """Let a worker's lease run out now."""
        self.client.zadd(self.key(queue, "workers"), {worker: 0})
        self.broker.store.transitions.reap(self.client, queue, lease_ms=2000, max_recoveries=3, by_ms=ANY_TIME_MS)

    def work(self) -> None:
        """Run all there is, also what is due later."""
        worker = Worker(self.broker)
        worker.start()
        wait_until(is_settled, 20)
        assert worker.stop()

    def key(self, queue: str, name: str) -> str:
        return self.broker.store.transitions.keys(queue)[name]

    def state(self, job_id: str) -> str:
        """The state record of a job."""
        queue, _, local_id = job_id.partition(":")
        text = self.client.hget(self.key(queue, "state"), local_id)
        assert isinstance(text, bytes)
        return text.decode()

    def set_state(self, job_id: str, text: str) -> None:
        queue, _, local_id = job_id.partition(":")
        self.client.hset(self.key(queue, "state"), local_id, text)

    def line(self, event: str, job_id: str, number: int, **changes: object) -> None:
        """Write a line into the journal of the jobs."""
        now_ns = time.time_ns()
        line = Line(event, job_id, number, "w0", 1, now_ns // 10**6, now_ns, "-")
        line = line._replace(**changes)  # type: ignore[arg-type]  # whatever a test plants
        with self._journal.open("a") as file:
            file.write(" ".join(map(str, line)) + "\n")

    def kill(self, pid: int) -> None:
        """Note that a worker was killed."""
        self.notes.note(Fault("kill", pid, time.time_ns()))

    def faults(self, *, is_lossy: bool = False) -> list[str]:
        """What the checker finds."""
        return check(collect(self._app, self._journal, self.notes, is_lossy=is_lossy))


@pytest.fixture
def scene(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """On the shared server, with a worker in this process."""
    monkeypatch.setitem(os.environ, "QUEUE_REDIS_URL", redis_url)
    monkeypatch.setitem(os.environ, "JOURNAL", str(tmp_path / "jobs"))
    app = program.create_app()
    with app.app_context():
        yield Scene(app, tmp_path / "jobs")
    broker_of(app).close()
