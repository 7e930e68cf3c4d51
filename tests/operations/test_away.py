"""Every call on jobs and queues says so where there is no Redis, and where there is no app."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Queue, QueueError, QueueUnavailable
from flask_queue.calls import QueueCalls
from flask_queue.current import broker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS = [name for name, _ in inspect.getmembers(QueueCalls, inspect.isfunction)]
#: What parameters without a default are given.
GIVEN: dict[str, Any] = {
    "job_id": "default:a",
    "queue": "default",
    "worker_id": "host-1-ab",
    "at": datetime(2035, 1, 31, tzinfo=UTC),
    "state": "failed",
}


@pytest.fixture
def app() -> Iterator[Flask]:
    """An app whose Redis is away."""
    app = Flask("shop")
    app.config["QUEUE_REDIS_URL"] = "redis://127.0.0.1:1"
    FlaskQueue(app, queues=[Queue("default")], admin=False)
    yield app
    broker_of(app).close()


def call(app: Flask, name: str) -> object:
    """Make a call with what it needs."""
    method = getattr(app.extensions["queue"], name)
    needed = [each for each in inspect.signature(method).parameters.values() if each.default is each.empty]
    values = {each.name: GIVEN[each.name] for each in needed if each.kind is not each.VAR_KEYWORD}
    # The id of `duplicate` has no name, as its changes have theirs.
    positional = [values.pop(each.name) for each in needed if each.kind is each.POSITIONAL_ONLY]
    return method(*positional, **values)


@pytest.mark.parametrize("name", CALLS)
def test_without_redis(app: Flask, name: str) -> None:
    """The error tells where Redis was looked for."""
    with app.app_context(), pytest.raises(QueueUnavailable, match=r"127\.0\.0\.1:1"):
        call(app, name)


@pytest.mark.parametrize("name", CALLS)
def test_outside_of_an_app_context(app: Flask, name: str) -> None:
    """The error says what to do."""
    with pytest.raises(QueueError, match="app context") as raised:
        call(app, name)
    assert not isinstance(raised.value, QueueUnavailable)
