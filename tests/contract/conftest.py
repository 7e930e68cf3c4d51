"""The three ways in which a dispatch can go: to the real store, inline, into a fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, JobRecord, Queue
from flask_queue.testing import drain

#: Nobody listens there.
NOWHERE = "redis://127.0.0.1:1"


class Kit:
    """An app inside its context, and what tests do with it."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self._url = url
        self._contexts = ExitStack()

    def start(self, *jobs: type[Job], **config: Any) -> FlaskQueue:
        """An extension with the queues default and emails, whose dispatches go where this kit's go."""
        self.queue = FlaskQueue(queues=[Queue("default"), Queue("emails")], jobs=jobs)
        self.app = Flask("shop")
        self.app.config.update(QUEUE_REDIS_URL=self._url, QUEUE_DASHBOARD=False, **config)
        self.queue.init_app(self.app)
        ways: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "real": nullcontext,
            "inline": self.queue.inline,
            "fake": self.queue.fake,
        }
        self.block: Any = self._contexts.enter_context(ways[self.kind]())
        self._contexts.enter_context(self.app.app_context())
        self._contexts.callback(self.queue.broker.close)
        return self.queue

    def run(self) -> None:
        """Run what has been dispatched, if that has not happened."""
        if self.kind == "real":
            drain()

    def records(self) -> list[JobRecord]:
        """What was dispatched, the first first."""
        if self.kind != "real":
            return list(self.block.dispatched())
        found = self.queue.jobs(limit=1000).records
        return sorted(found, key=lambda record: (record.created_at, record.id))

    def record(self, job_id: str) -> JobRecord:
        """The record of a job."""
        (found,) = [record for record in self.records() if record.id == job_id]
        return found

    def logs(self, job_id: str) -> list[str]:
        """What a job has logged."""
        return list(self.queue.logs(job_id) if self.kind == "real" else self.block.logs(job_id))

    def close(self) -> None:
        """Leave the app's context, and the block."""
        self._contexts.close()


def make_kit(kind: str, request: pytest.FixtureRequest) -> Iterator[Kit]:
    """A kit; only the real one has a Redis."""
    kit = Kit(kind, request.getfixturevalue("redis_url") if kind == "real" else NOWHERE)
    yield kit
    kit.close()


@pytest.fixture(params=["real", "inline", "fake"])
def kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    """Each of the three."""
    yield from make_kit(request.param, request)


@pytest.fixture(params=["real", "inline"])
def running(request: pytest.FixtureRequest) -> Iterator[Kit]:
    """Those that run jobs."""
    yield from make_kit(request.param, request)
