"""The list of jobs: tabs, filters, search, pages, export, actions on the selected."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue import FlaskQueue, JobState

from .conftest import HOME, MakeApp, Report, SendEmail, post

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

    from flask_queue import JobRecord


def rows(page: str) -> list[str]:
    """The ids of the jobs on a page, in its order."""
    return re.findall(r'name="rowid" value="([^"]+)"', page)


@pytest.fixture
def queue(app: Flask) -> FlaskQueue:
    """The extension of the app."""
    found: FlaskQueue = app.extensions["queue"]
    return found


@pytest.fixture
def cancelled(queue: FlaskQueue) -> list[JobRecord]:
    """Some jobs that ended cancelled."""
    return [queue.cancel(record.id) for record in SendEmail.dispatch_many([{"user_id": n} for n in range(3)])]


def test_tabs_tell_how_many_jobs_each_state_has(visitor: FlaskClient, cancelled: list[JobRecord]) -> None:
    """And show those alone."""
    waiting = Report.dispatch(report_id=1)
    page = visitor.get(f"{HOME}jobs/?state=cancelled").text
    assert re.search(r'state=cancelled"[^>]*aria-current="true">Cancelled <b[^>]*>3</b>', page)
    assert sorted(rows(page)) == sorted(record.id for record in cancelled)
    assert rows(visitor.get(f"{HOME}jobs/?state=waiting").text) == [waiting.id]


def test_filters_narrow_down_and_stay_in_the_links(visitor: FlaskClient) -> None:
    """Queue, job class and search together; tabs keep them, so that an address can be kept."""
    wanted = SendEmail.dispatch(user_id=42, plan="pro")
    SendEmail.dispatch(user_id=42)
    Report.dispatch(report_id=42)
    page = visitor.get(f"{HOME}jobs/?queue=emails&name=SendEmail&search=args.plan:pro").text
    assert rows(page) == [wanted.id]
    assert "state=failed&amp;queue=emails&amp;name=SendEmail&amp;search=args.plan:pro" in page


def test_a_wrong_search_says_what_to_do(visitor: FlaskClient) -> None:
    """Beside the box, with what was typed still in it; a wrong state, queue, time or cursor as well."""
    page = visitor.get(f"{HOME}jobs/?search=nme:x")
    assert page.status_code == 200
    assert 'value="nme:x"' in page.text
    assert 'role="alert"' in page.text
    for wrong in ("state=gone", "queue=gone", "since=yesterday", "until=7", "cursor=zz", "search=%22open"):
        page = visitor.get(f"{HOME}jobs/?{wrong}")
        assert (page.status_code, 'role="alert"' in page.text) == (200, True), wrong


def test_unknown_arguments_of_the_address_are_ignored(visitor: FlaskClient) -> None:
    """None reaches a link: `endpoint` and `_method` there are errors of Flask."""
    page = visitor.get(f"{HOME}jobs/?endpoint=x&_method=POST&_anchor=y&_external=1&foo=bar")
    assert page.status_code == 200
    assert "foo=bar" not in re.sub(r'name="back" value="[^"]*"', "", page.text)


def test_pages_follow_each_other(visitor: FlaskClient) -> None:
    """Every job once; the first page is live, those after it are not."""
    stored = [record.id for record in SendEmail.dispatch_many([{"user_id": n} for n in range(120)])]
    page, seen = visitor.get(f"{HOME}jobs/?state=waiting").text, list[str]()
    assert " data-live" in page
    for _ in range(5):
        seen += rows(page)
        link = re.search(r'rel="next" href="([^"]+)"', page)
        if not link:
            break
        page = visitor.get(link[1].replace("&amp;", "&")).text
        assert " data-live" not in page
    assert seen == stored


def test_secrets_are_not_shown_and_not_found(visitor: FlaskClient) -> None:
    """Neither in the list, nor in an export, nor by a search."""
    Report.dispatch(report_id=1, token="hunter2")
    for path in (
        "jobs/",
        "jobs/export.csv",
        "jobs/export.json",
        "jobs/?search=hunter2",
        "jobs/?search=args.token:hunter2",
    ):
        text = re.sub(r'(name="search"|name="back"|href=)[^>]*', "", visitor.get(HOME + path).text)
        assert "hunter2" not in text, path
    assert rows(visitor.get(f"{HOME}jobs/?search=hunter2").text) == []


def test_an_export_has_all_that_match(visitor: FlaskClient, cancelled: list[JobRecord]) -> None:
    """As CSV and as JSON, in the order of the list."""
    SendEmail.dispatch_many([{"user_id": n} for n in range(250)])
    answer = visitor.get(f"{HOME}jobs/export.csv?queue=emails")
    assert "attachment" in answer.headers["Content-Disposition"]
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(table) == 253
    assert json.loads(table[0]["payload"]) == {"user_id": 0, "plan": "free"}
    data = json.loads(visitor.get(f"{HOME}jobs/export.json?state=cancelled").text)
    assert sorted(each["id"] for each in data) == sorted(record.id for record in cancelled)
    assert json.loads(visitor.get(f"{HOME}jobs/export.json?state=failed").text) == []
    assert visitor.get(f"{HOME}jobs/export.csv?since=nonsense").status_code == 400


def test_a_cell_is_never_a_formula(make_app: MakeApp) -> None:
    """A spreadsheet would run it."""
    app = make_app()
    with app.app_context():
        SendEmail.options(job_id="-1").dispatch(user_id=1)
    text = app.test_client().get(f"{HOME}jobs/export.csv").text
    assert not re.search(r'(^|,)"?[=+\-@]', text, re.MULTILINE)


def test_an_export_is_never_held_as_a_whole(visitor: FlaskClient) -> None:
    """Not even for whoever says to be our script, whose pages have a digest: an export can have gigabytes."""
    SendEmail.dispatch(1)
    with visitor.get(f"{HOME}jobs/export.json", headers={"X-Flask-Queue-Live": "1"}) as answer:
        assert answer.is_streamed
        assert "ETag" not in answer.headers


def test_an_action_is_for_the_selected_alone(
    visitor: FlaskClient, queue: FlaskQueue, cancelled: list[JobRecord]
) -> None:
    """The page tells how many it was for, and the trail who did what to which."""
    chosen, other = [record.id for record in cancelled[:2]], cancelled[2].id
    assert "2 jobs put back to waiting." in post(visitor, "jobs/action/", action="retry", rowid=chosen).text
    assert [queue.get(each).state for each in (*chosen, other)] == ["waiting", "waiting", "cancelled"]
    entry = queue.audit().entries[0]
    assert (entry.action, entry.actor, entry.details["ids"]) == ("retry", "dashboard", chosen)
    assert "1 job deleted." in post(visitor, "jobs/action/", action="delete", rowid=[other]).text
    assert queue.counts()["emails"]["cancelled"] == 0


def test_what_cannot_be_done_is_told_with_the_reason(
    visitor: FlaskClient, queue: FlaskQueue, cancelled: list[JobRecord]
) -> None:
    """The others are done all the same."""
    waiting = SendEmail.dispatch(user_id=1)
    page = post(visitor, "jobs/action/", action="cancel", rowid=[cancelled[0].id, waiting.id]).text
    assert "1 job cancelled. Left as they were" in page
    assert f"{cancelled[0].id}: is cancelled" in page
    assert queue.get(waiting.id).state is JobState.CANCELLED


def test_an_action_on_nothing_says_so(visitor: FlaskClient) -> None:
    """As does one that there is not, or on jobs that are gone."""
    assert "Select some jobs first" in post(visitor, "jobs/action/", action="retry").text
    assert "no action" in post(visitor, "jobs/action/", action="explode", rowid=["emails:x"]).text
    assert post(visitor, "jobs/action/", action="retry", rowid=["emails:gone", "nonsense"]).status_code == 200


def test_readers_see_no_button_that_works(make_app: MakeApp) -> None:
    """And a POST of theirs is refused."""
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: "read")
    with app.app_context():
        record = SendEmail.dispatch(user_id=1)
    visitor = app.test_client()
    page = visitor.get(f"{HOME}jobs/").text
    assert all(
        " disabled" in button for button in re.findall(r'<button class="fq-button[^>]*name="action"[^>]*>', page)
    )
    assert visitor.post(f"{HOME}jobs/action/", data={"action": "delete", "rowid": record.id}).status_code == 403
    assert visitor.post(f"{HOME}jobs/bulk/", data={"action": "delete"}).status_code == 403
    with app.app_context():
        assert app.extensions["queue"].get(record.id)


def everything(visitor: FlaskClient, **fields: Any) -> str:
    """Do something to all jobs that match, from the question to the end; the page that it ends on."""
    text: str = post(visitor, "jobs/bulk/", **fields).text
    for _ in range(50):
        if "data-goes-on" not in text:
            return text
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', text))
        text = visitor.post(f"{HOME}jobs/bulk/", data=hidden, follow_redirects=True).text
    raise AssertionError("it does not end")


def test_all_that_match_are_counted_first_and_then_done(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """In steps; others are left alone."""
    SendEmail.dispatch_many([{"user_id": n} for n in range(2500)])
    kept = Report.dispatch(report_id=1)
    link = "/admin/queues/jobs/bulk/?action=cancel&amp;state=waiting&amp;queue=emails"
    assert f'href="{link}"' in visitor.get(f"{HOME}jobs/?state=waiting&queue=emails").text
    question = visitor.get(link.replace("&amp;", "&")).text
    assert "2,500" in question
    assert queue.counts()["emails"]["waiting"] == 2500
    page = everything(visitor, action="cancel", queue="emails", state="waiting")
    assert "2,500" in page
    assert queue.counts()["emails"] == {**dict.fromkeys(map(str, JobState), 0), "cancelled": 2500}
    assert queue.get(kept.id).state is JobState.WAITING


def test_a_wrong_bulk_action_is_refused(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """It says why, and does nothing."""
    SendEmail.dispatch(user_id=1)
    for fields in (
        {"action": "explode"},
        {},
        {"action": "delete", "state": "gone"},
        {"action": "delete", "cursor": "zz"},
    ):
        post(visitor, "jobs/bulk/", **fields)
        assert queue.counts()["emails"]["waiting"] == 1
    assert visitor.get(f"{HOME}jobs/bulk/?action=explode").status_code == 400
