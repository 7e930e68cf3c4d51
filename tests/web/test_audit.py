"""The page of what operators did."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from flask_queue.current import current_broker
from flask_queue.operations import Operations

from .conftest import HOME, MakeApp, SendEmail, post

if TYPE_CHECKING:
    from flask.testing import FlaskClient

PAGE = f"{HOME}audit/"


def rows(text: str) -> list[str]:
    """The entries' rows, each on a line."""
    return [" ".join(row.split()) for row in re.findall(r"<tr><td.*?</tr>", text, re.DOTALL)]


def words(row: str) -> str:
    """What a row says."""
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


def test_an_untouched_app_has_an_empty_trail(visitor: FlaskClient) -> None:
    """And the page says what will be in it."""
    text = visitor.get(PAGE).text
    assert "Nothing was done yet" in text
    assert not rows(text)


def test_what_was_done_is_told_newest_first(visitor: FlaskClient) -> None:
    """By whom, to what, with details that need no knowledge of JSON."""
    job = SendEmail.options(delay_s=60).dispatch(user_id=1)
    somebody = Operations(current_broker(), actor="ann")
    somebody.reschedule(job.id, datetime(2035, 1, 31, 12, 0, tzinfo=UTC))
    Operations(current_broker()).cancel(job.id)
    post(visitor, "queue/emails/pause", reason="mail server moves")
    somebody.clean("emails", state="cancelled", older_than_s=0)
    somebody.restart()
    told = rows(visitor.get(PAGE).text)
    assert [re.sub(r"^\d+ \w+ ago ", "", words(row)) for row in told[:4]] == [
        "ann restart all workers number 0",
        "ann clean emails number 1 · state cancelled",
        "dashboard pause emails reason mail server moves",
        f"code cancel {job.id} was delayed",
    ]
    assert "ann reschedule" in words(told[4])
    assert '<time datetime="2035-01-31T12:00:00.000+00:00"' in told[4]


def test_targets_lead_to_their_pages(visitor: FlaskClient) -> None:
    """A job, a queue, the workers; what is deleted leads nowhere."""
    job = SendEmail.dispatch(user_id=1)
    operations = Operations(current_broker())
    operations.cancel(job.id)
    operations.pause("emails")
    operations.restart()
    operations.delete(job.id)
    deleted, restart, paused, cancelled = rows(visitor.get(PAGE).text)
    assert f'href="/admin/queues/jobs/{job.id}/"' in cancelled
    assert 'href="/admin/queues/queue/emails/"' in paused
    assert 'href="/admin/queues/workers/"' in restart
    assert "href" not in deleted
    assert job.id in deleted


def test_ages_and_numbers_are_readable(visitor: FlaskClient) -> None:
    """Seconds read as days, and thousands have separators; what is unknown is shown all the same."""
    trail = current_broker().store.audit
    trail.note("clean", "emails", None, {"count": 12_345, "older_than_s": 172_800})
    trail.note("odd", "gone", None, {"many": [1, {"a": True}], "at": "no time", "older_than_s": "x"})
    trail.note("retry_all", "*", None, {"error": "ValueError: " + "x" * 1000})
    long, odd, cleaned = (words(row) for row in rows(visitor.get(PAGE).text))
    assert "number 12,345 · older than 2 days" in cleaned
    assert "many [1, {&#34;a&#34;: true}] · for no time · older than x" in odd
    assert "retry all all queues error ValueError: xxx" in long
    assert len(long) < 400


def test_a_long_trail_is_paged(visitor: FlaskClient) -> None:
    """By a cursor: what is added meanwhile moves nothing."""
    trail = current_broker().store.audit
    for number in range(120):
        trail.note("pause", f"q{number:03}", None, {})
    seen, path = [], PAGE
    while path:
        text = visitor.get(path).text
        seen += re.findall(r'fq-mono">(q\d+)<', text)
        found = re.search(r'rel="next" href="([^"]+)"', text)
        path = found[1] if found else ""
        trail.note("pause", "later", None, {})
    assert seen == [f"q{number:03}" for number in reversed(range(120))]


@pytest.mark.parametrize("cursor", ["x", "1-2-3", "9" * 40])
def test_a_wrong_cursor_is_told_of(visitor: FlaskClient, cursor: str) -> None:
    """With the way back."""
    answer = visitor.get(PAGE, query_string={"cursor": cursor})
    assert answer.status_code == 200
    assert "This is no page of the trail" in answer.text
    assert "First page" in answer.text


def test_what_others_wrote_is_escaped(visitor: FlaskClient) -> None:
    """Actions, targets, actors and details."""
    evil = "<script>alert(1)</script>"
    current_broker().store.audit.note(evil, evil, evil, {evil: evil, "list": [evil], "reason": evil})
    assert evil not in visitor.get(PAGE).text


def test_readers_may_see_it(make_app: MakeApp) -> None:
    """It changes nothing."""
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: "read")
    assert app.test_client().get(PAGE).status_code == 200
