"""From a signal to a job: which are dispatched, where, and how it ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from blinker import Signal
from flask import Flask, current_app, request_started

from flask_queue import FlaskQueue, InvalidPayload, Job, JobNotRegistered, QueueError
from flask_queue.bridges import Bridge
from flask_queue.current import broker_of
from tests.unit.jobs import MemoryStore


class Welcome(Job):
    def handle(self, user_id: int) -> None: ...


class Other(Job):
    def handle(self) -> None: ...


def make_app(queue: FlaskQueue, name: str) -> tuple[Flask, MemoryStore]:
    """An app whose store only remembers."""
    app = Flask(name)
    app.config.update(QUEUE_DASHBOARD=False)
    queue.init_app(app)
    store: Any = MemoryStore()
    broker_of(app).store = store
    return app, store


@pytest.fixture
def queue() -> FlaskQueue:
    return FlaskQueue(jobs=[Welcome])


@pytest.fixture
def app_and_store(queue: FlaskQueue) -> Iterator[tuple[Flask, MemoryStore]]:
    app, store = make_app(queue, "shop")
    with app.app_context():
        yield app, store


def test_a_signal_dispatches_a_job(queue: FlaskQueue, app_and_store: tuple[Flask, MemoryStore]) -> None:
    """With the payload that map returns; for None nothing; the bridge lives without being kept."""
    app, store = app_and_store
    signed_up = Signal()
    queue.on(signed_up, Welcome, lambda sender, user_id: {"user_id": user_id} if user_id else None)
    gc.collect()
    signed_up.send(app, user_id=7)
    signed_up.send(app, user_id=0)
    signed_up.send(None, user_id=8)
    assert store.calls == [("enqueue", "default", 1)] * 2


def test_it_can_be_disconnected(queue: FlaskQueue, app_and_store: tuple[Flask, MemoryStore]) -> None:
    """More than once; others stay."""
    app, store = app_and_store
    signed_up = Signal()
    bridges = [queue.on(signed_up, Welcome, map=lambda sender: {"user_id": 1}) for _ in range(2)]
    assert isinstance(bridges[0], Bridge)
    assert "to Welcome" in repr(bridges[0])
    bridges[0].disconnect()
    bridges[0].disconnect()
    signed_up.send(app)
    assert len(store.calls) == 1


def test_errors_reach_whoever_sends(queue: FlaskQueue, app_and_store: tuple[Flask, MemoryStore]) -> None:
    """Those of map as those of the dispatch."""
    app, store = app_and_store

    def fail(sender: Flask) -> None:
        raise KeyError("user")

    wrong: Any = lambda sender: [7]  # noqa: E731
    cases: list[tuple[Any, type[Job], type[Exception], str]] = [
        (fail, Welcome, KeyError, "user"),
        (wrong, Welcome, InvalidPayload, "map must return the arguments of handle by name, or None, not a list"),
        (lambda sender: {"user": 7}, Welcome, InvalidPayload, r"\$\.user"),
        (lambda sender: {}, Other, JobNotRegistered, "Other"),
    ]
    for made, job, error, text in cases:
        signed_up = Signal()
        queue.on(signed_up, job, made)
        with pytest.raises(error, match=text):
            signed_up.send(app)
    assert store.calls == []
    with pytest.raises(TypeError, match=r"subclass of flask_queue\.Job"):
        queue.on(Signal(), wrong, wrong)


def test_outside_of_an_app_context_sending_fails(queue: FlaskQueue) -> None:
    """The error says what to do."""
    signed_up = Signal()
    queue.on(signed_up, Welcome, lambda sender: {"user_id": 1})
    with pytest.raises(QueueError, match="app context"):
        signed_up.send(None)


def test_only_apps_of_the_extension_are_heard(queue: FlaskQueue) -> None:
    """Flask's own signals come from every app; each dispatches on itself."""
    apps = [make_app(queue, "one"), make_app(queue, "two")]
    foreign = Flask("foreign")
    FlaskQueue(foreign, jobs=[Welcome])
    plain = Flask("plain")
    asked: list[str] = []

    def payload(sender: Flask, **_: Any) -> dict[str, int]:
        asked.append(current_app.name)
        return {"user_id": 1}

    bridge = queue.on(request_started, Welcome, payload)
    try:
        for app in (apps[1][0], foreign, plain):
            app.add_url_rule("/", view_func=lambda: "")
            assert app.test_client().get("/").status_code == 200
    finally:
        bridge.disconnect()
    assert asked == ["two"]
    assert [len(store.calls) for _, store in apps] == [0, 1]


def test_the_bridge_keeps_no_app(queue: FlaskQueue) -> None:
    """Signals live as long as the process; apps of tests must not."""
    signed_up = Signal()
    queue.on(signed_up, Welcome, lambda sender: {"user_id": 1})
    make_app(queue, "shop")
    gc.collect()
    assert list(queue._apps) == []
