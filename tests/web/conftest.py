"""Apps with a dashboard, and visitors of it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

HOME = "/admin/queues/"


class SendEmail(Job):
    """A job that fails for some users."""

    queue_name = "emails"
    max_retries = 0

    def handle(self, user_id: int, *, plan: str = "free") -> dict[str, Any]:
        """Fail for user 13."""
        if user_id == 13:
            raise ValueError("no such user: 13")
        return {"sent": user_id, "plan": plan}


class Report(Job):
    """A job with a secret in its payload."""

    def handle(self, report_id: int, *, token: str = "hidden") -> None:
        """Do nothing."""


class MakeApp(Protocol):
    """Makes an app with a dashboard; settings win over those of a test."""

    def __call__(self, **settings: Any) -> Flask: ...


@pytest.fixture
def make_app(redis_url: str) -> MakeApp:
    """Makes an app with a dashboard that is open, as in testing; settings win over those."""

    def make(**settings: Any) -> Flask:
        app = Flask("acme")
        app.config.update(SECRET_KEY="not so secret", TESTING=True, QUEUE_REDIS_URL=redis_url)
        app.config.update(settings)
        FlaskQueue(app, queues=[Queue("default"), Queue("emails", concurrency=4)], jobs=[SendEmail, Report])
        return app

    return make


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    """An app with a dashboard that is open, inside its context."""
    app = make_app()
    with app.app_context():
        yield app


@pytest.fixture
def visitor(app: Flask) -> FlaskClient:
    """Somebody who looks at the dashboard of the app, and may change things there."""
    return app.test_client()


def token_of(visitor: FlaskClient) -> str:
    """The token with which this visitor's forms are sent."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', visitor.get(HOME).text)
    assert found, "no form on the overview"
    return found[1]


def post(visitor: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """Press a button: the form goes with its token, and the answer is that of the page it leads to."""
    fields = {"csrf_token": token_of(visitor), "back": HOME} | fields
    return visitor.post(HOME + path, data=fields, follow_redirects=True)


def commands(client: redis.Redis, visit: Callable[[], object]) -> dict[str, int]:
    """The commands that a visit sends to Redis, and how often; those that scripts call are not among them."""
    seen: Counter[str] = Counter()
    with client.monitor() as monitor:
        visit()
        client.echo("over")
        for command in monitor.listen():
            if command["command"] == "ECHO over":
                return dict(seen)
            name = command["command"].split(" ", 1)[0]
            # The client of the tests greets the server when it opens its second connection.
            if command["client_type"] != "lua" and name != "HELLO":
                seen[name] += 1
    raise AssertionError("the monitor ended")
