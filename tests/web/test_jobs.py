"""The list of jobs: tabs, filters, search, pages, export, actions on the selected."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import pytest

from flask_queue import FlaskQueue

from .conftest import HOME, MakeApp, Report, SendEmail

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
