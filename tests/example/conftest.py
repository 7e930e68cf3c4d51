"""The example application, in a folder of its own for each test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from example_app import create_app
from example_app.demo.mailbox import Mailbox
from example_app.models import db
from example_app.services import accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient

    from example_app.models import User

    MakeApp = Callable[[str], Flask]

#: Nothing listens there: every call to Redis is refused at once.
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[MakeApp]:
    """Make the application for a Redis address; what it adds to the environment goes with the test."""
    apps = []

    def make(redis_url: str) -> Flask:
        settings = {"TESTING": True, "INSTANCE_PATH": str(tmp_path), "QUEUE_REDIS_URL": redis_url}
        apps.append(create_app(settings))
        return apps[-1]

    with patch.dict(os.environ):
        yield make
    for app in apps:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application without a Redis."""
    return make_app(NOWHERE)


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    """The context that services run in."""
    with app.app_context():
        yield


@pytest.fixture
def user(context: None) -> User:
    """A user who has signed up."""
    return accounts.sign_up("Ada", "ada@example.org")


@pytest.fixture
def online(make_app: MakeApp, redis_url: str) -> FlaskClient:
    """A browser, and an application with a Redis."""
    return make_app(redis_url).test_client()


@pytest.fixture
def offline(app: Flask) -> FlaskClient:
    """A browser, and an application without a Redis."""
    return app.test_client()


@pytest.fixture
def mailbox(app: Flask, tmp_path: Path) -> Iterator[Mailbox]:
    """A mail server that the application sends to."""
    with Mailbox(tmp_path / "mails", announce=False) as mailbox:
        app.config["MAIL_PORT"] = mailbox.port
        yield mailbox
