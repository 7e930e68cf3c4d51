"""What the page about middleware shows works as it stands there, and what it says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dramatiq import Broker, Message, MessageProxy, Middleware
from dramatiq.middleware import MiddlewareError, SkipMessage
from flask import Flask, g, has_app_context

from flask_queue import FlaskQueue, Job, JobRecord, Queue, default_middleware
from flask_queue.current import broker_of
from flask_queue.testing import drain
from tests.docs.pages import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path("docs/middleware.md")
TEXT = (Path(__file__).resolve().parents[2] / PAGE).read_text()


class Spy(Middleware):
    """Tells what is called, and raises what it is given."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.raises: dict[str, Exception] = {}

    def note(self, name: str) -> None:
        self.calls.append(name)
        if name in self.raises:
            raise self.raises[name]

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        message.options["spy_mark"] = [message.actor_name]
        self.note("before_enqueue")

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        self.note("after_enqueue")

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        assert message.options["spy_mark"] == ["Echo"]
        g.mark = "of the run"
        self.note("before_process_message")

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        assert g.mark == "of the run"
        self.note(f"after_process_message {exception!r}" if exception else f"after_process_message {result}")

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        self.note("after_skip_message")

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        assert not has_app_context()
        self.note("after_ack")


class Echo(Job):
    max_retries = 0

    def handle(self, text: str) -> str:
        return text


@pytest.fixture
def spy() -> Spy:
    """The app's own middleware."""
    return Spy()


@pytest.fixture
def queue(spy: Spy, redis_url: str) -> Iterator[FlaskQueue]:
    """An extension with it, inside the context of its app."""
    app = Flask("shop")
    app.config["QUEUE_REDIS_URL"] = redis_url
    queue = FlaskQueue(app, queues=[Queue("default")], jobs=[Echo], middleware=[lambda: spy], admin=False)
    with app.app_context():
        yield queue
    broker_of(app).close()


def test_the_tenant_goes_along(redis_url: str) -> None:
    """From the dispatch to the run, and to a duplicate."""
    names: dict[str, Any] = {"FlaskQueue": FlaskQueue, "Job": Job}
    for block in blocks(PAGE, "python"):
        block.run(names)
    app = Flask("shop")
    app.config.update(QUEUE_REDIS_URL=redis_url, QUEUE_DASHBOARD=False)
    names["queue"].init_app(app)
    with app.app_context():
        g.tenant = "acme"
        record = names["CountOrders"].dispatch()
        g.tenant = "other"
        drain()
        assert names["queue"].get(record.id).result == "orders of acme"
    broker_of(app).close()


def run(queue: FlaskQueue, **options: Any) -> JobRecord:
    """Dispatch one, run it, and return its record."""
    record = Echo.options(**options).dispatch("hello")
    drain()
    return queue.get(record.id)


def test_the_calls_of_a_job(queue: FlaskQueue, spy: Spy) -> None:
    """In this order; each of them is on the page."""
    assert run(queue).state == "completed"
    whole = ["before_enqueue", "after_enqueue", "before_process_message", "after_process_message hello", "after_ack"]
    assert spy.calls == whole
    for name in (*(call.split()[0] for call in whole), "after_skip_message"):
        assert f"| `{name}(" in TEXT or f", `{name}(" in TEXT


def test_the_page_names_what_dramatiq_has() -> None:
    """Methods and parameters."""
    for name, parameters in re.findall(r"`((?:before|after)_\w+)\((.*?)\)`", TEXT):
        code = getattr(Middleware, name).__code__
        told = {each.strip("* ").partition("=")[0] for each in parameters.split(",")} - {""}
        assert told == set(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]), name


def test_ours_come_first(queue: FlaskQueue, spy: Spy) -> None:
    """In the order that `default_middleware` tells."""
    (app,) = [broker_of(app).app() for app in queue._apps]
    assert app is not None
    ours = [type(each) for each in default_middleware(app)]
    assert [type(each) for each in queue.broker.middleware] == [*ours, Spy]


def test_a_dispatch_that_is_refused(queue: FlaskQueue, spy: Spy) -> None:
    """By a MiddlewareError: nothing is stored."""
    spy.raises["before_enqueue"] = MiddlewareError("no tenant")
    with pytest.raises(MiddlewareError, match="no tenant"):
        Echo.dispatch("hello")
    assert queue.jobs().records == []


def test_a_run_that_is_refused(queue: FlaskQueue, spy: Spy) -> None:
    """It has failed, as with any error."""
    spy.raises["before_process_message"] = MiddlewareError("no tenant")
    record = run(queue)
    assert record.error is not None
    assert (record.state, record.error.type, record.error.message) == ("failed", "MiddlewareError", "no tenant")


def test_a_run_that_is_skipped(queue: FlaskQueue, spy: Spy) -> None:
    """Fails for good, also where retries are left."""
    spy.raises["before_process_message"] = SkipMessage("the account is closed")
    record = run(queue, max_retries=5)
    assert record.error is not None
    assert (record.state, record.error.message) == ("failed", "the account is closed")
    assert spy.calls[-2:] == ["after_skip_message", "after_ack"]


@pytest.mark.parametrize("name", ["before_enqueue", "after_enqueue", "before_process_message", "after_ack"])
def test_other_errors_change_nothing(queue: FlaskQueue, spy: Spy, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """They are logged."""
    spy.raises[name] = ValueError("a fault")
    assert run(queue).state == "completed"
    assert f"Unexpected failure in {name}" in caplog.text


def test_tests_run_it(queue: FlaskQueue, spy: Spy) -> None:
    """Inline all of it; a fake that of the dispatch."""
    with queue.fake():
        Echo.dispatch("hello")
    assert spy.calls == ["before_enqueue", "after_enqueue"]
    spy.calls.clear()
    with queue.inline():
        Echo.dispatch("hello")
    assert spy.calls[-1] == "after_ack"
    assert len(spy.calls) == 5
