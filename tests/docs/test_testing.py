"""What the page about testing shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, Queue
from flask_queue.substitutes import EVERYWHERE
from flask_queue.testing import Fake, drain, travel

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "testing.md").read_text()

outbox: list[str] = []
calls: list[str] = []


class SendWelcomeEmail(Job):
    queue_name = "emails"

    def handle(self, user_id: int, *, plan: str = "free") -> None:
        outbox.append(f"Welcome, user {user_id}")


class SendReminder(Job):
    def handle(self, user_id: int) -> None: ...


class CallWebhook(Job):
    backoff = (60,)

    def handle(self, url: str) -> None:
        calls.append(url)
        if len(calls) == 1:
            raise ConnectionError


@pytest.fixture
def shop(redis_url: str) -> Any:
    """The names that the examples use."""
    outbox.clear()
    calls.clear()
    queue = FlaskQueue(
        queues=[Queue("default"), Queue("emails")], jobs=[SendWelcomeEmail, SendReminder, CallWebhook], admin=False
    )
    app = Flask("shop")
    app.config["QUEUE_REDIS_URL"] = redis_url
    queue.init_app(app)
    app.post("/sign-up/<int:user_id>")(lambda user_id: {"id": SendWelcomeEmail.dispatch(user_id).id})
    app.post("/remind/<int:user_id>", endpoint="remind")(lambda user_id: {"id": SendReminder.dispatch(user_id).id})
    yield {"queue": queue, "app": app, "client": app.test_client(), "outbox": outbox}
    with app.app_context():
        queue.broker.close()


def example(name: str, shop: dict[str, Any]) -> Any:
    """The test of this name."""
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (program,) = [block for block in blocks if f"def {name}(" in block]
    defined: dict[str, Any] = {"__name__": "tests", **globals(), **shop}
    exec(compile("from __future__ import annotations\n" + program, "testing.md", "exec", dont_inherit=True), defined)
    return defined[name]


def test_fake(shop: dict[str, Any]) -> None:
    """Passes, and its message is the one that the page shows."""
    example("test_signing_up_sends_a_mail", shop)(shop["client"])
    with shop["queue"].fake() as fake:
        shop["client"].post("/sign-up/7")
    with pytest.raises(AssertionError) as raised:
        fake.assert_dispatched(SendWelcomeEmail, {"user_id": 8})
    assert f"AssertionError: {raised.value}\n" in PAGE


def test_fixture(shop: dict[str, Any]) -> None:
    """As the plugin makes it."""
    fake = Fake()
    with EVERYWHERE.using(fake):
        example("test_a_reminder_is_sent", shop)(fake, shop["client"])


def test_inline(shop: dict[str, Any]) -> None:
    """The mail is sent."""
    example("test_the_mail_is_sent", shop)(shop["client"], outbox)


def test_by_hand(shop: dict[str, Any]) -> None:
    """The second call works."""
    assert callable(drain)
    assert callable(travel)
    example("test_a_failed_webhook_is_sent_again", shop)(shop["app"])
    assert len(calls) == 2


def test_the_assertions_are_told() -> None:
    """With their parameters."""
    for name in ("assert_dispatched", "assert_not_dispatched", "assert_nothing_dispatched", "dispatched"):
        assert f"| `{name}(" in PAGE
        assert hasattr(Fake, name)
