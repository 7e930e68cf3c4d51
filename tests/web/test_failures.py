"""The page of failed jobs, grouped by what they failed with."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job
from flask_queue.current import current_broker
from flask_queue.worker import Worker

from .conftest import HOME, MakeApp, SendEmail

if TYPE_CHECKING:
    from flask.testing import FlaskClient

PAGE = f"{HOME}failures/"


class Charge(Job):
    """Fails in several ways."""

    max_retries = 0

    def handle(self, way: str) -> None:
        """Fail in this way."""
        if way == "key":
            raise KeyError("card")
        raise type(way, (Exception,), {})(f"<script>alert('{way}')</script>")


@pytest.fixture
def queue(app: Flask) -> FlaskQueue:
    """The app's extension, which knows this job."""
    found: FlaskQueue = app.extensions["queue"]
    found.register(Charge)
    return found


def run_all() -> None:
    """Work until nothing is left."""
    worker = Worker(current_broker(), is_burst=True)
    worker.start()
    assert worker.join(20)
    assert worker.stop()


def rows(text: str) -> list[str]:
    """The groups' rows, each on a line."""
    return [" ".join(row.split()) for row in re.findall(r'<tr id="group-.*?</tr>', text, re.DOTALL)]


def words(text: str) -> str:
    """What it says, without tags."""
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", text.replace("<wbr>", "")).split()))


def test_it_is_good_news_when_nothing_has_failed(visitor: FlaskClient) -> None:
    """In green, also for one queue."""
    text = visitor.get(PAGE).text
    assert "fq-well" in text
    assert "Nothing has failed</h2>" in text
    assert "Nothing has failed on emails</h2>" in visitor.get(PAGE, query_string={"queue": "emails"}).text


def test_groups_come_largest_first_and_say_what_to_know(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Type, message, place, how many, of which jobs and queues, since when."""
    Charge.dispatch("key")
    SendEmail.dispatch_many([{"user_id": 13}] * 3)
    run_all()
    text = visitor.get(PAGE).text
    assert "4 failed jobs in 2 groups" in words(text)
    largest, other = rows(text)
    told = words(largest)
    assert told.startswith("ValueError new no such user: 13")
    assert "tests/web/conftest.py:SendEmail.handle" in told
    assert "3 failed in the last 24 hours, 3 of them in this one" in largest
    assert 'href="/admin/queues/queue/emails/"' in largest
    assert words(other).startswith("KeyError new 'card'")
    assert "Charge default" in words(other)


def test_a_group_leads_to_its_jobs_and_to_their_retry(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """By its fingerprint. The retry asks first, on a page of its own, with the number of jobs."""
    SendEmail.dispatch_many([{"user_id": 13}] * 2)
    Charge.dispatch("key")
    run_all()
    group = queue.failures()[0]
    (row, _) = rows(visitor.get(PAGE).text)
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', row)]
    jobs = f"/admin/queues/jobs/?state=failed&error={group.fingerprint}"
    assert jobs in links
    listed = visitor.get(jobs).text
    assert listed.count('id="job-emails:') == 2
    assert 'id="job-default:' not in listed
    retry = next(link for link in links if "/jobs/bulk/" in link)
    assert "Retry these 2" in words(row)
    assert queue.counts()["emails"]["failed"] == 2
    asked = words(visitor.get(retry).text)
    assert re.search(r"\b2\b", asked)
    assert queue.counts()["emails"]["failed"] == 2
    # A fingerprint tells nobody anything: the page names the type.
    assert f"error {group.type}" in visitor.get(jobs).text
    question = visitor.get(f"/admin/queues/jobs/bulk/?action=retry&state=failed&error={group.fingerprint}").text
    assert f"({group.type})" in question


def test_one_queue_is_looked_at_alone(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Numbers are those of the queue, and links stay within it."""
    Charge.dispatch("key")
    Charge.options(queue_name="emails").dispatch("key")
    run_all()
    (row,) = rows(visitor.get(PAGE).text)
    assert "default 1, emails 1" in words(row)
    (row,) = rows(visitor.get(PAGE, query_string={"queue": "emails"}).text)
    assert "Retry these 1" in words(row)
    assert row.count("queue=emails") == 3
    assert visitor.get(PAGE, query_string={"queue": "nowhere"}).status_code == 404


def test_a_retried_group_is_gone(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Only what is failed still is listed."""
    Charge.dispatch("key")
    run_all()
    assert len(rows(visitor.get(PAGE).text)) == 1
    queue.retry_all(error=queue.failures()[0].fingerprint)
    assert rows(visitor.get(PAGE).text) == []


def test_many_groups_are_paged(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Fifty a page."""
    Charge.dispatch_many([{"way": f"Odd{number:02}"} for number in range(60)])
    run_all()
    text = visitor.get(PAGE).text
    assert len(rows(text)) == 50
    found = re.search(r'rel="next" href="([^"]+)"', text)
    assert found
    text += visitor.get(unescape(found[1])).text
    assert {f"Odd{number:02}" for number in range(60)} == set(re.findall(r"\bOdd\d\d\b", words("".join(rows(text)))))


def test_errors_are_escaped(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Their messages and types come from anywhere."""
    evil = "<img src=x>"
    Charge.dispatch(evil)
    run_all()
    text = visitor.get(PAGE).text
    assert evil not in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_a_reader_sees_a_disabled_button(make_app: MakeApp) -> None:
    """And no link to the question."""
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: "read")
    with app.app_context():
        SendEmail.dispatch(user_id=13)
        run_all()
        (row,) = rows(app.test_client().get(PAGE).text)
    assert re.search(r"<button[^>]* disabled title=", row)
    assert "/jobs/bulk/" not in row
