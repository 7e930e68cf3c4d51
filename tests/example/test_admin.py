"""The dashboard of the example: for operators, who sign in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from example_app.models import User, db
from example_app.services import accounts
from example_app.services.errors import Invalid

from .test_pages import ADA

if TYPE_CHECKING:
    from flask.testing import FlaskClient

DASHBOARD = "/admin/queues/"
OPERATOR = {"email": "ops@example.org", "password": "correct horse"}


@pytest.fixture
def operator(online: FlaskClient) -> FlaskClient:
    """A browser in which an operator is signed in."""
    with online.application.app_context():
        accounts.make_operator(**OPERATOR)
    assert online.post("/sign-in", data=OPERATOR).headers["Location"] == "/admin/"
    return online


def test_a_stranger_is_asked_to_sign_in(online: FlaskClient) -> None:
    """On every page of the admin."""
    for path in (DASHBOARD, f"{DASHBOARD}jobs/", "/admin/"):
        assert online.get(path).headers["Location"] == "/sign-in"
    assert online.post(f"{DASHBOARD}queue/emails/pause").headers["Location"] == "/sign-in"


def test_a_user_without_the_flag_is_refused(online: FlaskClient) -> None:
    """Being signed in is not enough."""
    online.post("/sign-up", data=ADA)
    assert online.get(DASHBOARD).status_code == 403
    assert "Dashboard" not in online.get("/upload").text


def test_an_operator_sees_the_jobs_of_everybody(operator: FlaskClient) -> None:
    """The admin leads there, and so does the menu of the application."""
    assert operator.get("/admin/").headers["Location"] == DASHBOARD
    assert 'href="/admin/"' in operator.get("/upload").text
    somebody = operator.application.test_client()
    somebody.post("/sign-up", data=ADA)
    page = operator.get(f"{DASHBOARD}jobs/emails:welcome-2/")
    assert page.status_code == 200
    assert "SendWelcomeEmail" in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_what_an_operator_does_has_a_name(operator: FlaskClient) -> None:
    """The audit trail knows who paused a queue."""
    fields = dict(re.findall(r'name="(csrf_token|back)" value="([^"]*)"', operator.get(DASHBOARD).text))
    assert operator.post(f"{DASHBOARD}queue/emails/pause", data=fields).status_code == 303
    assert OPERATOR["email"] in operator.get(f"{DASHBOARD}audit/").text


@pytest.mark.parametrize(
    ("email", "password"),
    [("ops@example.org", "wrong"), ("nobody@example.org", "correct horse"), ("ada@example.org", "")],
)
def test_a_wrong_password_opens_nothing(online: FlaskClient, email: str, password: str) -> None:
    """Nor does the address of somebody who has none."""
    with online.application.app_context():
        accounts.make_operator(**OPERATOR)
        accounts.sign_up("Ada", "ada@example.org")
    answer = online.post("/sign-in", data={"email": email, "password": password})
    assert answer.status_code == 400
    assert "not the address and the password" in answer.text
    assert online.get(DASHBOARD).headers["Location"] == "/sign-in"


def test_the_command_makes_an_operator(online: FlaskClient) -> None:
    """Anew with another password; one that is too short is refused in a line. No welcome goes to them."""
    run = online.application.test_cli_runner().invoke
    assert "at least 10 characters" in run(args=["create-operator", "ops@example.org", "--password", "short"]).output
    for password in ("first password", OPERATOR["password"]):
        done = run(args=["create-operator", "OPS@example.org"], env={"OPERATOR_PASSWORD": password})
        assert done.output == "OPS@example.org can sign in\n"
    assert online.post("/sign-in", data=OPERATOR).status_code == 303
    with online.application.app_context():
        (user,) = db.session.scalars(db.select(User))
        assert user.welcomed_at is not None
        with pytest.raises(Invalid):
            accounts.authenticate("ops@example.org", "first password")
