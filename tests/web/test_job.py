"""The page of a job: what it shows, and what its buttons do."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from flask_queue import Job, JobNotFound, JobRecord, JobState, WorkerInfo
from flask_queue.admin.desk import Desk
from flask_queue.admin.pages.diagnosis import diagnose
from flask_queue.current import current_broker
from flask_queue.record import RunningJob
from flask_queue.worker import Worker
from tests.browser.hostile import CORPUS, MARK
from tests.support import wait_until

from .conftest import HOME, MakeApp, Report, SendEmail, post

if TYPE_CHECKING:
    import redis
    from flask.testing import FlaskClient

    from flask_queue import FlaskQueue


class Unlucky(Job):
    """Fails as often as it may, inside Python's own code."""

    max_retries = 2
    backoff = (0,)

    def handle(self, text: str = "") -> None:
        """Fail."""
        self.log(f"attempt {self.attempt} {text}")
        try:
            json.loads("{")
        except ValueError as error:
            raise LookupError(f"not found\n  {text}") from error


class Held(Job):
    """Tells of its progress, and runs until the test lets it go."""

    go_on = threading.Event()

    def handle(self) -> None:
        """Wait."""
        self.progress(30, 120)
        self.log("thirty done")
        self.go_on.wait(30)


class Odd(Job):
    """Returns what it is given, or raises it."""

    max_retries = 0

    @staticmethod
    def tags(*, texts: dict[str, Any], **_: Any) -> list[str]:
        """Some of the texts."""
        return [text for text in texts if len(text) <= 100 and text.isprintable()][:10]

    def handle(self, texts: dict[str, Any], *, fails: bool = False) -> dict[str, Any]:
        """Do it."""
        for text in texts:
            self.log(text)
        if fails:
            raise type(f"<img class={MARK}>", (ValueError,), {})("\n".join(texts))
        return texts


@pytest.fixture
def queue(app: Flask) -> FlaskQueue:
    """The app's extension, with the jobs of this file."""
    queue: FlaskQueue = app.extensions["queue"]
    queue.register(Unlucky, Held, Odd)
    return queue


def run_all() -> None:
    """Work until nothing is left."""
    worker = Worker(current_broker(), is_burst=True)
    worker.start()
    assert worker.join(20), "the burst does not end"
    assert worker.stop()


def page(visitor: FlaskClient, record: JobRecord, path: str = "") -> str:
    """The page as text, on one line."""
    answer = visitor.get(f"{HOME}jobs/{record.id}/{path}")
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def buttons(text: str) -> list[str]:
    """The verbs that the page offers."""
    return re.findall(r'action="[^"]*/jobs/[^"/]+/(\w+)/?"', text)


def test_a_failed_job_tells_what_happened_and_what_to_press(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """The error on top, each run with its outcome, the newest traceback open, the app's own frames apart."""
    record = Unlucky.dispatch(text="7")
    run_all()
    text = page(visitor, record)
    assert "LookupError: not found 7" in text
    assert "attempt 3 of 3" in text
    outcomes = re.findall(r'id="run-(\d)".*?fq-state-(\w+)', text)
    assert outcomes == [("3", "failed"), ("2", "delayed"), ("1", "delayed")]
    assert '<details class="fq-more" open id="trace-3">' in text
    assert re.search(r'<div class="fq-own"><span> *File &#34;[^&]*tests/web/test_job.py', text)
    assert re.search(r"<summary>\d library frames</summary>", text)
    assert "The above exception was the direct cause of the following exception:" in text
    assert buttons(text) == ["retry", "delete"]
    assert f'href="{HOME}jobs/{record.id}/duplicate/"' in text


def test_a_traceback_is_shown_once(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Runs that failed in the same way lead to the newest of them."""
    record = Unlucky.dispatch()
    run_all()
    text = page(visitor, record)
    assert text.count('class="fq-trace"') == 1
    assert text.count('The traceback is that of <a href="#run-3">') == 2


def test_a_completed_job_shows_its_result_and_its_times(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """And neither a warning nor a retry."""
    record = SendEmail.dispatch(user_id=7)
    run_all()
    text = page(visitor, record)
    assert '<span class="fq-key">sent</span>: <span class="fq-json-number">7</span>' in text
    assert "Run 1 completed" in text
    assert " in all</span>" in text
    assert "fq-advice" not in text
    assert buttons(text) == ["delete"]


def test_secrets_are_nowhere_on_the_page_and_in_its_downloads(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Neither in what is shown nor in what is copied."""
    record = Report.dispatch(report_id=1, token="geheim-4711")
    text = page(visitor, record)
    assert "•••" in text
    assert "geheim-4711" not in text
    assert visitor.get(f"{HOME}jobs/{record.id}/payload.json").json == {"report_id": 1, "token": "•••"}


def test_a_running_job_tells_how_far_it_is(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Progress, log, and the worker that has it; stopping it asks first."""
    Held.go_on.clear()
    record = Held.dispatch()
    worker = Worker(current_broker(), {"default": 1})
    worker.start()
    try:
        wait_until(lambda: queue.logs(record.id), what="it has logged")
        wait_until(queue.workers, 15, what="the worker is known")
        text = page(visitor, record)
        assert re.search(r'<progress [^>]*max="120.0" value="30.0"', text)
        assert "<li>thirty done</li>" in text
        assert f'workers/#worker-{worker.id}">' in text
        assert "Ask the job to stop?" in text
        assert buttons(text) == ["cancel"]
        assert "is asked to stop" in post(visitor, f"jobs/{record.id}/cancel").text
    finally:
        Held.go_on.set()
        assert worker.stop()


def test_a_job_that_waits_tells_why(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """No worker takes its queue, or that is paused."""
    record = SendEmail.dispatch(user_id=7)
    text = page(visitor, record)
    assert "No worker takes jobs of emails" in text
    assert "flask queue work --queues emails" in text
    queue.pause("emails", "provider is down")
    assert "emails is paused (provider is down)" in page(visitor, record)


def test_a_run_that_is_in_trouble_is_told(app: Flask) -> None:
    """Its worker is silent, or cannot end it; nothing is said of one that simply runs."""
    now = datetime.now(UTC)
    record = JobRecord("default:a", "Held", "default", JobState.ACTIVE, {}, started_at=now, worker="w1")
    run = RunningJob("default:a", "Held", "default", now)
    worker = WorkerInfo("w1", "web1", 7, "1", {"default": 1}, 1, (run,), 0, now, now)
    overdue = replace(worker, running=(replace(run, overdue=True),))

    def told(*workers: WorkerInfo) -> list[str]:
        return [advice.message for advice in diagnose(Desk(current_broker(), "ops", True), record, workers)]

    assert told() == ["Its worker w1 is not heard of."]
    assert told(overdue) == ["It has run longer than its time-out, and nothing could interrupt it."]
    assert told(worker) == []


def test_a_job_without_payload_can_only_be_looked_at(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """It is not known what it was, nor could it be sent again."""
    record = SendEmail.dispatch(user_id=7)
    store = queue.broker.store
    store.client.hdel(store.transitions.keys("emails")["jobs"], record.id.partition(":")[2])
    text = page(visitor, record)
    assert '<h1 class="fq-wrap">A job without a payload</h1>' in text
    assert "duplicate/" not in text
    assert visitor.get(f"{HOME}jobs/{record.id}/duplicate/").status_code == 404


def test_an_id_without_its_queue_finds_the_job(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Its forms name the whole one."""
    record = SendEmail.dispatch(user_id=7)
    text = visitor.get(f"{HOME}jobs/{record.id.partition(':')[2]}/").text
    assert f'action="{HOME}jobs/{record.id}/cancel"' in text


def test_an_idle_page_costs_304(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """However long it is open."""
    record = SendEmail.options(delay_s=3600).dispatch(user_id=7)
    headers = {"X-Flask-Queue-Live": "1"}
    first = visitor.get(f"{HOME}jobs/{record.id}/", headers=headers)
    again = visitor.get(f"{HOME}jobs/{record.id}/", headers={**headers, "If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    queue.promote(record.id)
    again = visitor.get(f"{HOME}jobs/{record.id}/", headers={**headers, "If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200


@pytest.mark.parametrize(("state", "verbs"), [("waiting", ["cancel", "delete"]), ("cancelled", ["retry", "delete"])])
def test_buttons_fit_the_state(visitor: FlaskClient, queue: FlaskQueue, state: str, verbs: list[str]) -> None:
    """What cannot be done is not offered."""
    record = SendEmail.dispatch(user_id=7)
    if state == "cancelled":
        queue.cancel(record.id)
    assert buttons(page(visitor, record)) == verbs


def test_each_button_does_what_it_says(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """The job is in the state, the audit trail tells who it was, and the visitor reads what was done."""
    record = SendEmail.options(delay_s=3600).dispatch(user_id=7)
    for verb, state, told in (
        ("promote", "waiting", "runs as soon as"),
        ("cancel", "cancelled", "is cancelled"),
        ("retry", "waiting", "goes back to its queue"),
    ):
        answer = post(visitor, f"jobs/{record.id}/{verb}", back=f"{HOME}jobs/{record.id}/")
        assert told in answer.text
        assert answer.request.path == f"{HOME}jobs/{record.id}/"
        assert queue.get(record.id).state == state
    entries = queue.audit().entries
    assert [(entry.action, entry.actor) for entry in entries] == [
        (verb, "dashboard") for verb in ("retry", "cancel", "promote")
    ]


@pytest.mark.parametrize(
    ("at", "offset", "due"),
    [
        ("2131-12-24T18:30", "", "2131-12-24T18:30:00+00:00"),
        ("2131-12-24T18:30:15", "+02:00", "2131-12-24T16:30:15+00:00"),
        ("2131-12-24T18:30", "-0530", "2131-12-25T00:00:00+00:00"),
        ("2131-12-24 18:30", "UTC+1", "2131-12-24T17:30:00+00:00"),
        ("2131-12-24T18:30Z", "+09:00", "2131-12-24T18:30:00+00:00"),
    ],
)
def test_a_delayed_job_gets_another_time(
    visitor: FlaskClient, queue: FlaskQueue, at: str, offset: str, due: str
) -> None:
    """In the zone that is told; without one, in UTC."""
    record = SendEmail.options(delay_s=3600).dispatch(user_id=7)
    assert 'type="datetime-local"' in page(visitor, record)
    answer = post(visitor, f"jobs/{record.id}/reschedule", at=at, offset=offset, back=f"{HOME}jobs/{record.id}/")
    moved = queue.get(record.id)
    assert moved.scheduled_at is not None
    assert moved.scheduled_at.isoformat() == due
    assert f"is due on {due[:10]} at {due[11:19]} UTC" in answer.text
    assert queue.audit().entries[0].action == "reschedule"


@pytest.mark.parametrize(
    ("at", "offset"),
    [
        ("", ""),
        ("tomorrow", ""),
        ("2131-02-30T10:00", ""),
        ("2131-12-24T18:30", "Berlin"),
        ("2131-12-24T18:30", "+99:99"),
        ("9999-12-31T23:59", "-12:00"),
        ("0001-01-01T00:00", "+12:00"),
    ],
)
def test_a_time_that_is_none_is_refused(visitor: FlaskClient, queue: FlaskQueue, at: str, offset: str) -> None:
    """The visitor reads how to write one, and the job keeps its own."""
    record = SendEmail.options(delay_s=3600).dispatch(user_id=7)
    answer = post(visitor, f"jobs/{record.id}/reschedule", at=at, offset=offset, back=f"{HOME}jobs/{record.id}/")
    assert answer.request.path == f"{HOME}jobs/{record.id}/"
    assert "give one as" in answer.text
    assert queue.get(record.id).scheduled_at == record.scheduled_at


def test_a_time_that_has_passed_means_now(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """And the visitor reads so."""
    record = SendEmail.options(delay_s=3600).dispatch(user_id=7)
    answer = post(visitor, f"jobs/{record.id}/reschedule", at="2021-01-01T00:00")
    assert "that time has passed" in answer.text
    moved = queue.get(record.id).scheduled_at
    assert moved is not None
    assert moved.year == 2021


def test_a_deleted_job_leads_to_the_list(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Its page is gone."""
    record = SendEmail.dispatch(user_id=7)
    answer = post(visitor, f"jobs/{record.id}/delete", back=f"{HOME}jobs/{record.id}/")
    assert answer.request.path == f"{HOME}jobs/"
    assert f"{record.id} is deleted" in answer.text
    with pytest.raises(JobNotFound):
        queue.get(record.id)


def test_what_a_state_forbids_is_told_on_the_page(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """As it may have changed since the page was shown."""
    record = SendEmail.dispatch(user_id=7)
    answer = post(visitor, f"jobs/{record.id}/retry", back=f"{HOME}jobs/{record.id}/")
    assert answer.request.path == f"{HOME}jobs/{record.id}/"
    assert "is waiting; this needs a job that is failed or cancelled" in answer.text


@pytest.mark.parametrize("path", ["", "payload.json", "log.txt"])
def test_a_job_that_is_gone_is_told(visitor: FlaskClient, path: str) -> None:
    """404, with the reason."""
    answer = visitor.get(f"{HOME}jobs/emails:nothing/{path}")
    assert answer.status_code == 404
    assert "retention removed it" in answer.text


def test_who_may_only_look_changes_nothing(make_app: MakeApp) -> None:
    """Buttons are disabled and say why."""
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: "read")
    with app.app_context():
        record = SendEmail.dispatch(user_id=7)
    visitor = app.test_client()
    text = page(visitor, record)
    assert 'disabled title="You may look, but not change anything."' in text
    assert visitor.post(f"{HOME}jobs/{record.id}/cancel").status_code == 403


def test_downloads_are_files(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Never opened as a page, and whole."""
    record = Odd.dispatch(texts={"<b>": "x" * 50_000})
    run_all()
    for part, kind in (
        ("payload.json", "application/json"),
        ("result.json", "application/json"),
        ("log.txt", "text/plain"),
    ):
        answer = visitor.get(f"{HOME}jobs/{record.id}/{part}")
        assert answer.mimetype == kind
        assert answer.headers["Content-Disposition"].startswith("attachment; filename=default-")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert visitor.get(f"{HOME}jobs/{record.id}/payload.json").json["texts"]["<b>"] == "x" * 50_000  # type: ignore[index]
    assert visitor.get(f"{HOME}jobs/{record.id}/log.txt").text == "<b>\n"


def test_a_huge_payload_is_cut_and_can_be_downloaded(make_app: MakeApp) -> None:
    """The page stays small, and says what is missing."""
    app = make_app(QUEUE_MAX_PAYLOAD_BYTES=8 << 20)
    with app.app_context():
        app.extensions["queue"].register(Odd)
        rows = {"rows": [{"id": n, "text": "y" * 80} for n in range(30_000)]}
        record = Odd.dispatch(texts=rows)
    visitor = app.test_client()
    text = page(visitor, record)
    assert len(text) < 200_000
    assert "cut: the download has all of it" in text
    assert "… 29,900 more" in text
    whole = visitor.get(f"{HOME}jobs/{record.id}/payload.json")
    assert len(whole.data) > 3_000_000
    assert whole.json == {"texts": rows, "fails": False}


def test_a_result_that_was_cut_says_so(make_app: MakeApp) -> None:
    """It is no JSON any more, and its secrets stay hidden."""
    app = make_app(QUEUE_MAX_RESULT_BYTES=1024)
    with app.app_context():
        app.extensions["queue"].register(Odd)
        record = Odd.dispatch(texts={"text": "z" * 900, "password": "geheim" * 100})
        run_all()
    visitor = app.test_client()
    text = page(visitor, record)
    assert "cut when it was stored" in text
    assert "geheim" not in text
    download = visitor.get(f"{HOME}jobs/{record.id}/result.json")
    assert download.mimetype == "text/plain"
    assert "zzz" in download.text
    assert "geheim" not in download.text


class Marked(HTMLParser):
    """Finds elements that a text of a job has made."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Ours have no such class, and no attribute that runs or styles."""
        for name, value in attrs:
            if (name == "class" and MARK in (value or "").split()) or name.startswith("on") or name == "style":
                self.found.append(f"<{tag} {name}={value!r}>")


@pytest.mark.parametrize("fails", [True, False])
def test_texts_of_jobs_are_only_texts(visitor: FlaskClient, queue: FlaskQueue, fails: bool) -> None:
    """Keys and values of payload and result, errors, tracebacks, log lines: none becomes an element or an attribute."""
    record = Odd.dispatch(texts={text: text for text in CORPUS}, fails=fails)
    run_all()
    assert queue.get(record.id).tags
    seen = Marked()
    seen.feed(visitor.get(f"{HOME}jobs/{record.id}/").text)
    assert seen.found == []


def test_the_page_needs_few_commands(visitor: FlaskClient, queue: FlaskQueue, redis_client: redis.Redis) -> None:
    """Also for a job that waits, of which most is asked."""
    record = SendEmail.dispatch(user_id=7)
    visitor.get(f"{HOME}jobs/{record.id}/")
    with redis_client.monitor() as monitor:
        visitor.get(f"{HOME}jobs/{record.id}/")
        redis_client.echo("the end")
        seen = list(takewhile(lambda command: not command["command"].startswith("ECHO"), monitor.listen()))
    # What scripts call is no round trip.
    sent = [command["command"] for command in seen if command["client_type"] != "lua"]
    assert len(sent) <= 6, sent
