"""Who may see the dashboard, who may change something, and what other sites cannot make a visitor do."""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask_admin.base import Admin, AdminIndexView

from flask_queue import FlaskQueue
from flask_queue.admin.views import QueueView

from .conftest import HOME, MakeApp, post, token_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient


def basic(username: str, password: str) -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()}


def test_without_any_rule_it_is_closed_and_a_line_says_how_to_open_it(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither debug nor testing, no setting, no rule of the app: 403, and the log has the remedy."""
    answer = make_app(TESTING=False).test_client().get(HOME)
    assert answer.status_code == 403
    assert "QUEUE_DASHBOARD_ACCESS" in caplog.text


@pytest.mark.parametrize("settings", [{"TESTING": True}, {"TESTING": False, "DEBUG": True}])
def test_in_debug_and_testing_it_is_open(make_app: MakeApp, settings: dict[str, Any]) -> None:
    """Without any other rule."""
    assert make_app(**settings).test_client().get(HOME).status_code == 200


@pytest.mark.parametrize(
    ("answer", "sees", "changes"),
    [
        (False, 403, 403),
        ("read", 200, 403),
        ("full", 200, 200),
        (True, 403, 403),
        (None, 403, 403),
        ([], 403, 403),
        ("write", 403, 403),
    ],
)
def test_the_configured_function_decides(make_app: MakeApp, answer: object, sees: int, changes: int) -> None:
    """False closes, read and full open; whatever else it returns closes."""
    visitor = make_app(QUEUE_DASHBOARD_ACCESS=lambda: answer).test_client()
    assert visitor.get(HOME).status_code == sees
    with visitor.session_transaction() as session:
        session["_flask_queue_token"] = "known"
    sent = visitor.post(f"{HOME}queue/emails/pause", data={"csrf_token": "known"}, follow_redirects=True)
    assert sent.status_code == changes


def test_a_function_that_fails_closes(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged, and the visitor sees nothing of it."""
    answer = make_app(QUEUE_DASHBOARD_ACCESS=lambda: 1 / 0).test_client().get(HOME)
    assert answer.status_code == 403
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in answer.text


def test_the_function_may_be_named(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `module:function`; one that is not there closes."""
    monkeypatch.setattr("tests.web.test_access.rule", lambda: "read", raising=False)
    assert make_app(QUEUE_DASHBOARD_ACCESS="tests.web.test_access:rule").test_client().get(HOME).status_code == 200
    assert make_app(QUEUE_DASHBOARD_ACCESS="tests.web:missing").test_client().get(HOME).status_code == 403


def test_http_basic_asks_for_the_password(make_app: MakeApp) -> None:
    """The right one opens, a wrong one is asked for again; the audit trail knows the user."""
    app = make_app(QUEUE_DASHBOARD_USERNAME="ops", QUEUE_DASHBOARD_PASSWORD="s3cret-ü")
    visitor = app.test_client()
    refused = visitor.get(HOME)
    assert (refused.status_code, refused.headers["WWW-Authenticate"][:5]) == (401, "Basic")
    assert visitor.get(HOME, headers=basic("ops", "wrong")).status_code == 401
    assert visitor.get(HOME, headers=basic("ops", "s3cret-ü")).status_code == 200
    visitor.environ_base["HTTP_AUTHORIZATION"] = basic("ops", "s3cret-ü")["Authorization"]
    post(visitor, "queue/emails/pause")
    with app.app_context():
        assert app.extensions["queue"].audit().entries[0].actor == "ops"


def test_a_script_is_not_asked_for_a_password(make_app: MakeApp) -> None:
    """A live update gets 401 without the header for which a browser would open its dialog."""
    app = make_app(QUEUE_DASHBOARD_USERNAME="ops", QUEUE_DASHBOARD_PASSWORD="s3cret")
    answer = app.test_client().get(HOME, headers={"X-Flask-Queue-Live": "1"})
    assert answer.status_code == 401
    assert "WWW-Authenticate" not in answer.headers


class Closed(AdminIndexView):
    """An app's own index view, which sends strangers to its page for signing in."""

    is_open = False

    def is_accessible(self) -> bool:
        """The app's rule."""
        return self.is_open

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Any:
        """Where strangers go."""
        return Flask.response_class(status=302, headers={"Location": "/sign-in"})


def test_the_rule_of_the_apps_admin_decides(redis_url: str) -> None:
    """Its Admin gets the dashboard, strangers are sent where it sends them, scripts get 403."""
    app = Flask("acme")
    app.config.update(SECRET_KEY="s", QUEUE_REDIS_URL=redis_url, TESTING=True)
    index = Closed()
    Admin(app, index_view=index)
    FlaskQueue(app)
    visitor = app.test_client()
    assert visitor.get(HOME).headers["Location"] == "/sign-in"
    assert visitor.get(HOME, headers={"X-Flask-Queue-Live": "1"}).status_code == 403
    assert visitor.get(HOME, headers={"Sec-Fetch-Dest": "empty"}).status_code == 403
    index.is_open = True
    assert visitor.get(HOME).status_code == 200


def test_an_index_view_without_a_rule_of_its_own_opens_nothing(redis_url: str) -> None:
    """Flask-Admin's own says yes to everybody: that is no rule."""
    app = Flask("acme")
    app.config.update(SECRET_KEY="s", QUEUE_REDIS_URL=redis_url)
    Admin(app)
    FlaskQueue(app)
    assert app.test_client().get(HOME).status_code == 403


def test_our_own_admin_is_as_closed_as_the_dashboard(make_app: MakeApp) -> None:
    """Its index leads to the dashboard, for those who may see that."""
    assert make_app(TESTING=False).test_client().get("/admin/").status_code == 403
    assert make_app().test_client().get("/admin/").headers["Location"] == HOME


def test_a_change_needs_the_token_of_the_session(visitor: FlaskClient, app: Flask) -> None:
    """None, or that of another session, changes nothing; the visitor reads why."""
    other = token_of(app.test_client())
    for fields in ({}, {"csrf_token": other}, {"csrf_token": ""}):
        answer = visitor.post(f"{HOME}queue/emails/pause", data=fields)
        assert answer.status_code == 403
        assert "out of date" in answer.text
    assert app.extensions["queue"].paused() == {}
    assert "emails is paused" in post(visitor, "queue/emails/pause").text
    assert app.extensions["queue"].paused() == {"emails": ""}


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_change_from_another_site_is_refused(visitor: FlaskClient, app: Flask, site: str) -> None:
    """Even with the right token."""
    fields = {"csrf_token": token_of(visitor)}
    answer = visitor.post(f"{HOME}queue/emails/pause", data=fields, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert app.extensions["queue"].paused() == {}


def test_a_change_is_a_post(visitor: FlaskClient) -> None:
    """A link can change nothing."""
    assert visitor.get(f"{HOME}queue/emails/pause").status_code == 405


def test_without_a_secret_key_pages_can_be_read_and_forms_say_why_not(make_app: MakeApp) -> None:
    """There is no session to hold a token: the buttons are disabled, and a POST is refused."""
    visitor = make_app(SECRET_KEY=None).test_client()
    page = visitor.get(HOME)
    assert page.status_code == 200
    assert "SECRET_KEY" in page.text
    assert "csrf_token" not in page.text or 'value=""' in page.text
    assert visitor.post(f"{HOME}queue/emails/pause").status_code == 403


def test_a_form_leads_back_to_our_own_pages_only(visitor: FlaskClient) -> None:
    """Wherever it says that it came from."""
    for place in ("https://evil.example/", "//evil.example", "/elsewhere", "javascript:alert(1)"):
        fields = {"csrf_token": token_of(visitor), "back": place}
        assert visitor.post(f"{HOME}queue/emails/pause", data=fields).headers["Location"] == HOME


@pytest.mark.parametrize("place", ["//evil.example/", "/\t/evil.example/", "/\r\nX-Evil: 1"])
def test_a_form_at_the_root_leads_to_no_other_host(redis_url: str, place: str) -> None:
    """Where every path is ours, two slashes still begin the address of a host."""
    app = Flask("acme")
    app.config.update(SECRET_KEY="not so secret", TESTING=True, QUEUE_REDIS_URL=redis_url)
    admin = Admin(app)
    admin.add_view(QueueView(url="/"))
    FlaskQueue(app, admin=admin)
    visitor = app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', visitor.get("/").text)
    assert token
    answer = visitor.post("/queue/default/pause", data={"csrf_token": token[1], "back": place})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_every_request_is_judged_by_itself(make_app: MakeApp) -> None:
    """Also where several are made inside of one app context, which they share."""
    app = make_app(QUEUE_DASHBOARD_USERNAME="ops", QUEUE_DASHBOARD_PASSWORD="right")
    with app.app_context():
        assert app.test_client().get(HOME, headers=basic("ops", "right")).status_code == 200
        assert app.test_client().get(HOME).status_code == 401


def test_every_page_has_its_headers(visitor: FlaskClient) -> None:
    """No inline script or style, no other host, no frame, no cache."""
    headers = visitor.get(HOME).headers
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"


def test_without_a_dashboard_flask_admin_is_not_imported(make_app: MakeApp) -> None:
    """QUEUE_DASHBOARD=0 leaves no route."""
    assert make_app(QUEUE_DASHBOARD=False).test_client().get(HOME).status_code == 404


def test_redis_away_is_a_page_that_says_so(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """503, with where it was looked for."""
    caplog.set_level(logging.CRITICAL)
    answer = make_app(QUEUE_REDIS_URL="redis://127.0.0.1:1/0").test_client().get(HOME)
    assert answer.status_code == 503
    assert "127.0.0.1:1" in answer.text


def test_an_idle_page_costs_304(visitor: FlaskClient) -> None:
    """The same page again, for our script: nothing new, nothing sent. What the clock changes is nothing new."""
    first = visitor.get(HOME, headers={"X-Flask-Queue-Live": "1"})
    again = visitor.get(HOME, headers={"X-Flask-Queue-Live": "1", "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    post(visitor, "queue/emails/pause")
    changed = visitor.get(HOME, headers={"X-Flask-Queue-Live": "1", "If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
