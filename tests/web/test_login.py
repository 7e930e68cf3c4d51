"""Flask-Login: it decides who sees the dashboard, and the audit trail tells its users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, redirect
from flask_admin.base import Admin, AdminIndexView
from flask_login import LoginManager, UserMixin, current_user, login_user

from flask_queue import FlaskQueue, Queue

from .conftest import HOME, post

if TYPE_CHECKING:
    from flask.testing import FlaskClient

SETTINGS: dict[str, Any] = {"SECRET_KEY": "not so secret"}


class User(UserMixin):  # type: ignore[misc] # a class without annotations
    """Somebody who can sign in."""

    def __init__(self, name: str) -> None:
        self.id = name


class Index(AdminIndexView):
    """Lets in who is signed in."""

    def is_accessible(self) -> bool:
        """The rule of the app."""
        return bool(current_user.is_authenticated)

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Any:
        """Where others go."""
        return redirect("/sign-in")


def by_user() -> str | bool:
    """The rule as a function: Ada may change things, others may look."""
    if not current_user.is_authenticated:
        return False
    return "full" if current_user.get_id() == "ada" else "read"


@pytest.fixture(params=["index view", "function"])
def site(redis_url: str, request: pytest.FixtureRequest) -> Flask:
    """An app with users, whose dashboard asks them in either way."""
    app = Flask("acme")
    app.config.update(SETTINGS, QUEUE_REDIS_URL=redis_url)
    logins = LoginManager(app)
    logins.user_loader(User)
    app.add_url_rule("/sign-in/<name>", "sign_in", lambda name: str(login_user(User(name))))
    if request.param == "function":
        app.config["QUEUE_DASHBOARD_ACCESS"] = by_user
    else:
        Admin(app, index_view=Index())
    FlaskQueue(app, queues=[Queue("default"), Queue("emails")])
    return app


def signed_in(site: Flask, name: str) -> FlaskClient:
    """The browser of this user."""
    visitor = site.test_client()
    visitor.get(f"/sign-in/{name}")
    return visitor


def test_who_is_signed_in_sees_it(site: Flask) -> None:
    """Strangers do not."""
    assert site.test_client().get(HOME).status_code in (302, 403)
    assert signed_in(site, "ada").get(HOME).status_code == 200


def test_the_trail_tells_the_user(site: Flask) -> None:
    """By the id that Flask-Login gives."""
    assert "emails is paused" in post(signed_in(site, "ada"), "queue/emails/pause").text
    with site.app_context():
        entry = site.extensions["queue"].audit().entries[0]
    assert (entry.action, entry.target, entry.actor) == ("pause", "emails", "ada")
