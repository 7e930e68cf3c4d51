"""A job once more, from its page."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from flask_queue import Job
from flask_queue.admin.masks import MisplacedMark, mask, unmask
from flask_queue.config import REDACTED
from tests.browser.hostile import CORPUS

from .conftest import HOME, MakeApp, Report, SendEmail, post

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from flask_queue import FlaskQueue, JobRecord


class Sync(Job):
    """Has secrets inside of its payload, and runs once at a time."""

    unique_for_s = 3600

    def handle(self, accounts: list[dict[str, Any]], *, mode: str = "full") -> None:
        """Do nothing."""


@pytest.fixture
def queue(app: Flask) -> FlaskQueue:
    """The app's extension, with the job of this file."""
    queue: FlaskQueue = app.extensions["queue"]
    queue.register(Sync)
    return queue


def form(visitor: FlaskClient, record: JobRecord) -> str:
    """What the field shows."""
    found = re.search(
        r"<textarea[^>]*>\n(.*?)</textarea>", visitor.get(f"{HOME}jobs/{record.id}/duplicate/").text, re.DOTALL
    )
    assert found, "no field"
    return html.unescape(found[1])


def send(visitor: FlaskClient, record: JobRecord, **fields: Any) -> TestResponse:
    """Send the form."""
    return post(visitor, f"jobs/{record.id}/duplicate/", **fields)


def newest(queue: FlaskQueue, record: JobRecord) -> JobRecord:
    """The job that was sent from another one."""
    return next(found for found in queue.jobs(queue=record.queue).records if found.id != record.id)


def test_the_form_starts_with_the_payload(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """As JSON that can be edited; what is changed there is sent as a new job, whose page follows."""
    record = SendEmail.options(priority=7, delay_s=3600).dispatch(user_id=13, plan="pro")
    typed = json.loads(form(visitor, record))
    assert typed == {"user_id": 13, "plan": "pro"}
    answer = send(visitor, record, payload=json.dumps({**typed, "user_id": 14}))
    sent = newest(queue, record)
    assert answer.request.path == f"{HOME}jobs/{sent.id}/"
    assert f"Sent as a new job, {sent.id}" in answer.text
    assert (sent.payload, sent.priority, sent.state) == ({"user_id": 14, "plan": "pro"}, 7, "waiting")
    assert queue.get(record.id) == record
    entry = queue.audit().entries[0]
    assert (entry.action, entry.target, entry.actor) == ("duplicate", record.id, "dashboard")


def test_what_is_left_out_is_at_its_default(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Not at what the job had."""
    record = SendEmail.dispatch(user_id=7, plan="pro")
    send(visitor, record, payload='{"user_id": 8}')
    assert newest(queue, record).payload == {"user_id": 8, "plan": "free"}


def test_it_can_be_sent_as_it_was(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Secrets included."""
    record = Report.dispatch(report_id=1, token="geheim")
    send(visitor, record)
    assert newest(queue, record).payload == {"report_id": 1, "token": "geheim"}


def test_a_secret_is_sent_without_being_shown(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Its mark stands for it, wherever the part of the payload goes that it is in."""
    accounts: list[dict[str, Any]] = [
        {"user": "ann", "password": "geheim-1"},
        {"user": "bob", "password": {"old": "geheim-2"}},
    ]
    record = Sync.options(unique_key="first").dispatch(accounts)
    shown = form(visitor, record)
    assert "geheim" not in visitor.get(f"{HOME}jobs/{record.id}/duplicate/").text
    typed = json.loads(shown)
    typed["accounts"] = [typed["accounts"][1], {"user": "eve", "password": "new"}]
    answer = send(visitor, record, payload=json.dumps(typed))
    sent = newest(queue, record)
    assert sent.payload["accounts"] == [accounts[1], {"user": "eve", "password": "new"}]
    assert "geheim" not in answer.text


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("{", "This is no JSON"),
        ("", "This is no JSON"),
        ("[" * 100_000, "too deep"),
        ("[1]", "Give an object"),
        ('{"user_id": 1, "mode": 2}', "$.mode: there is no such argument"),
        ("{}", "$.user_id: the argument is missing"),
        ('{"user_id": NaN}', "JSON has no nan"),
        ('{"user_id": "\\ud800"}', "lone surrogate"),
        ('{"user_id": ' + "9" * 5000 + "}", "digits"),
        ('{"user_id": "' + "x" * 3000 + '"}', "over the limit of 2,048"),
        ('{"user_id": "</textarea><b class=pwned>", "x": 1}', "there is no such argument"),
    ],
)
def test_a_wrong_payload_is_told_next_to_what_was_typed(make_app: MakeApp, typed: str, fault: str) -> None:
    """Nothing is sent, and nothing that was typed is lost."""
    app = make_app(QUEUE_MAX_PAYLOAD_BYTES=2048)
    with app.app_context():
        queue = app.extensions["queue"]
        record = SendEmail.dispatch(user_id=7)
        answer = send(app.test_client(), record, payload=typed)
        assert answer.status_code == 422
        assert fault in html.unescape(answer.text)
        assert f"\n{html.escape(typed).replace('&#x27;', '&#39;').replace('&quot;', '&#34;')}</textarea>" in answer.text
        assert queue.counts()["emails"]["waiting"] == 1


def test_a_mark_in_another_place_is_refused(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Under a key that hides nothing, the secret would be shown on the new job's page."""
    record = Report.dispatch(report_id=1, token="geheim")
    answer = send(visitor, record, payload='{"report_id": "•••1", "token": "x"}')
    assert answer.status_code == 422
    assert "stands for the hidden value of 'token'" in html.unescape(answer.text)
    assert queue.counts()["default"]["waiting"] == 1


def test_an_unsettled_job_with_the_same_unique_key_is_shown_instead(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """The visitor reads that nothing was sent."""
    record = Sync.dispatch([])
    answer = send(visitor, record)
    assert answer.request.path == f"{HOME}jobs/{record.id}/"
    assert "Nothing was sent" in answer.text
    assert queue.counts()["default"]["waiting"] == 1


def test_a_plain_actor_is_sent_as_it_was(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """There is no field, as nothing could check what is typed; a form that was made up is refused."""

    @queue.actor()
    def note(text: str) -> None:
        """Do nothing."""

    message = note.send("a")
    record = queue.get(f"default:{message.message_id}")
    text = visitor.get(f"{HOME}jobs/{record.id}/duplicate/").text
    assert "plain actor" in text
    assert "<textarea" not in text
    assert send(visitor, record, payload='{"text": "b"}').status_code == 422
    send(visitor, record)
    assert newest(queue, record).payload == {"args": ["a"], "kwargs": {}}


def test_a_job_of_another_version_is_told(visitor: FlaskClient, make_app: MakeApp, queue: FlaskQueue) -> None:
    """Where no job of its name is registered, nothing could run it."""
    record = Sync.dispatch([])
    stranger = make_app().test_client()
    answer = send(stranger, record)
    assert answer.status_code == 422
    assert "is not registered with this app" in answer.text


def test_a_payload_that_is_too_large_for_a_form_is_told(make_app: MakeApp) -> None:
    """With the command that can do it."""
    app = make_app()
    with app.app_context():
        record = SendEmail.dispatch(user_id=7, plan="x" * 400_000)
    text = app.test_client().get(f"{HOME}jobs/{record.id}/duplicate/").text
    assert f"flask queue duplicate {record.id}" in text
    assert len(text) < 20_000


def test_the_field_holds_any_text(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """What comes back is what was there, character by character."""
    record = SendEmail.dispatch(user_id=7, plan="\n".join(CORPUS))
    send(visitor, record, payload=form(visitor, record))
    assert newest(queue, record).payload == record.payload


def test_a_job_that_is_gone_has_no_form(visitor: FlaskClient) -> None:
    """404."""
    assert visitor.get(f"{HOME}jobs/emails:nothing/duplicate/").status_code == 404


def test_who_may_only_look_sends_nothing(make_app: MakeApp) -> None:
    """The field is disabled, and a form that was made up is refused."""
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: "read")
    with app.app_context():
        record = SendEmail.dispatch(user_id=7)
    visitor = app.test_client()
    assert re.search(r"<textarea[^>]* disabled", visitor.get(f"{HOME}jobs/{record.id}/duplicate/").text)
    assert visitor.post(f"{HOME}jobs/{record.id}/duplicate/", data={"payload": "{}"}).status_code == 403


def test_marks_are_put_back_under_their_own_key_alone() -> None:
    """Whatever else is typed stays as it is."""
    masked, secrets = mask({"a": {"token": 1}, "b": [{"token": [2]}], "token": None}, REDACTED)
    assert masked == {"a": {"token": "•••1"}, "b": [{"token": "•••2"}], "token": "•••3"}
    assert unmask(masked, secrets, REDACTED) == {"a": {"token": 1}, "b": [{"token": [2]}], "token": None}
    assert unmask({"token": "new", "text": "•••9 stars"}, secrets, REDACTED) == {"token": "new", "text": "•••9 stars"}
    for wrong in ({"note": "•••1"}, {"api_token": "•••1"}, {"a": ["•••1"]}, {"token": "•••"}, {"token": "Bearer •••1"}):
        with pytest.raises(MisplacedMark):
            unmask(wrong, secrets, REDACTED)
