"""The pages of all queues and of one: how they fare and are set up, pausing, cleaning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Queue, RateLimit
from flask_queue.admin.pages import queues
from flask_queue.current import current_broker
from flask_queue.store.roster import Shown
from flask_queue.worker import Worker

from .conftest import HOME, MakeApp, Report, SendEmail, post

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from flask_queue import AuditEntry

PAGE = f"{HOME}queue/"
EMAILS = f"{PAGE}emails/"
DAY_MS = 86_400_000


@pytest.fixture
def queue(app: Flask) -> FlaskQueue:
    """The app's extension."""
    found: FlaskQueue = app.extensions["queue"]
    return found


def run_all() -> None:
    """Work until nothing is left."""
    worker = Worker(current_broker(), is_burst=True)
    worker.start()
    assert worker.join(20)
    assert worker.stop()


def line(text: str) -> str:
    """A page as one line."""
    return " ".join(text.split())


def main_of(text: str) -> str:
    """What a page has of its own."""
    return line(text.partition('id="fq-live"')[2].partition("<dialog")[0])


def trail(queue: FlaskQueue) -> list[AuditEntry]:
    """What was done, oldest first."""
    return list(reversed(queue.audit().entries))


def test_all_queues_are_listed_with_numbers_and_limits(redis_url: str, redis_client: object) -> None:
    """Counts lead to the jobs, and each queue to its page."""
    app = Flask("acme")
    app.config.update(SECRET_KEY="x", TESTING=True, QUEUE_REDIS_URL=redis_url)
    slow = Queue("slow", concurrency=3, rate_limit=RateLimit(100, per_s=60), max_running=1200)
    FlaskQueue(app, queues=[Queue("default"), Queue("emails"), slow], jobs=[SendEmail, Report])
    with app.app_context():
        SendEmail.dispatch_many([{"user_id": number} for number in range(3)])
        text = main_of(app.test_client().get(PAGE).text)
    assert 'href="/admin/queues/jobs/?state=waiting&amp;queue=emails">3</a>' in text
    assert all(f'href="/admin/queues/queue/{name}/"' in text for name in ("default", "emails", "slow"))
    row = text.partition('id="settings-slow"')[2].partition("</tr>")[0]
    assert all(part in row for part in (">3<", "100 in 60 s", "1,200 at a time"))


@pytest.mark.parametrize("span", ["1h", "24h", "7d", "nonsense"])
def test_both_pages_look_back_as_far_as_asked(visitor: FlaskClient, span: str) -> None:
    """An hour, a day or a week; anything else is an hour."""
    chosen = "1h" if span == "nonsense" else span
    for page in (PAGE, EMAILS):
        answer = visitor.get(page, query_string={"range": span})
        assert answer.status_code == 200
        assert re.search(rf'class="fq-on" aria-current="true">{chosen}<', answer.text)


def test_one_queue_shows_states_settings_and_jobs(visitor: FlaskClient) -> None:
    """Numbers lead to lists, retention is told, and the job classes that go there."""
    SendEmail.dispatch_many([{"user_id": number} for number in (1, 13)])
    run_all()
    SendEmail.options(delay_s=60).dispatch(user_id=2)
    text = main_of(visitor.get(EMAILS).text)
    for state, count in {"completed": 1, "failed": 1, "delayed": 1, "waiting": 0}.items():
        assert f'<strong class="fq-text-{state}">{count}</strong>' in text
        assert f'href="/admin/queues/jobs/?state={state}&amp;queue=emails"' in text
    assert "4 in each process" in text
    assert "the newest 10,000 are kept, for up to 24 h" in text
    assert "the newest 100,000 are kept, for up to 14 days" in text
    assert 'href="/admin/queues/jobs/?queue=emails&amp;name=SendEmail"' in text
    assert text.count('class="fq-chart"') == 4


def test_a_backlog_without_worker_says_what_to_start(visitor: FlaskClient) -> None:
    """With the command to copy."""
    SendEmail.dispatch(user_id=1)
    text = main_of(visitor.get(EMAILS).text)
    assert "emails has 1 job to run, and no worker." in text
    assert "<code>flask queue work --queues emails</code>" in text


def test_the_processes_that_serve_it_are_listed(visitor: FlaskClient) -> None:
    """With how many of their threads are busy with this queue; others are not."""
    broker = current_broker()
    for name, served in (("w1", {"emails": 4, "default": 2}), ("w2", {"default": 8})):
        runs = [("emails", "a", "SendEmail", 10, 1000), ("default", "b", "Report", 10, 1000)]
        shown = Shown("web1", 7, "1", served, 10, 1, runs)
        broker.store.roster.report(broker.store.client, name, shown, lease_ms=15_000)
    text = main_of(visitor.get(EMAILS).text)
    assert "4 threads in 1 process" in text
    assert "1 of 4" in text
    assert 'id="worker-w2"' not in text


def test_a_queue_that_is_not_there_is_not_found(visitor: FlaskClient) -> None:
    """For looking and for acting."""
    assert visitor.get(f"{PAGE}nowhere/").status_code == 404
    for verb in ("pause", "resume", "clean"):
        assert post(visitor, f"queue/nowhere/{verb}", state="failed", age="any").status_code == 404


def test_pausing_keeps_the_reason(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """The page shows it, and resuming ends it; the trail has both."""
    answer = post(visitor, "queue/emails/pause", reason=" the <b>mail</b>\nserver moves ", back=EMAILS)
    assert queue.paused() == {"emails": "the <b>mail</b> server moves"}
    text = main_of(answer.text)
    assert "emails is paused (the &lt;b&gt;mail&lt;/b&gt; server moves)" in text
    assert "/queue/emails/resume" in text
    post(visitor, "queue/emails/resume", back=EMAILS)
    assert queue.paused() == {}
    told = [(entry.action, entry.target, entry.actor, dict(entry.details)) for entry in trail(queue)]
    assert told == [
        ("pause", "emails", "dashboard", {"reason": "the <b>mail</b> server moves"}),
        ("resume", "emails", "dashboard", {}),
    ]


def test_a_reason_that_is_too_long_pauses_nothing(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """The browser's own limit is no guard."""
    answer = post(visitor, "queue/emails/pause", reason="x" * 201, back=EMAILS)
    assert "at most 200 are kept" in answer.text
    assert queue.paused() == {}
    post(visitor, "queue/emails/pause", reason="x" * 200)
    assert queue.paused() == {"emails": "x" * 200}


def test_cleaning_asks_first_with_the_number(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Following the form's link deletes nothing."""
    SendEmail.dispatch_many([{"user_id": 13}] * 3)
    run_all()
    text = main_of(visitor.get(EMAILS, query_string={"clean": "failed", "age": "1d"}).text)
    assert "Delete failed jobs that finished more than 1 day ago?" in text
    assert "emails has 3 failed jobs" in text
    assert queue.counts()["emails"]["failed"] == 3


@pytest.mark.parametrize("args", [{"clean": "active"}, {"clean": "nonsense"}, {"clean": "failed", "age": "2d"}])
def test_a_question_that_makes_no_sense_is_not_asked(visitor: FlaskClient, args: dict[str, str]) -> None:
    """Active jobs belong to their workers."""
    assert "Delete them" not in visitor.get(EMAILS, query_string=args).text


def test_cleaning_deletes_one_state(visitor: FlaskClient, queue: FlaskQueue) -> None:
    """Other states and queues stay, and the visitor comes back to the queue."""
    SendEmail.dispatch_many([{"user_id": number} for number in (1, 2, 13)])
    run_all()
    answer = post(visitor, "queue/emails/clean", state="completed", age="any", back=f"{EMAILS}?clean=completed")
    assert "2 completed jobs of emails deleted." in answer.text
    assert (answer.request.path, answer.request.args) == (EMAILS, {})
    counts = queue.counts()["emails"]
    assert (counts["completed"], counts["failed"]) == (0, 1)
    (entry,) = trail(queue)
    assert (entry.action, entry.target, entry.actor) == ("clean", "emails", "dashboard")
    assert entry.details == {"count": 2, "state": "completed"}


@pytest.mark.parametrize("state", queues.CLEANABLE)
def test_the_young_are_spared(visitor: FlaskClient, queue: FlaskQueue, state: str) -> None:
    """What is a moment old is not older than an hour; without an age it goes."""
    SendEmail.dispatch(user_id={"failed": 13}.get(state, 1))
    if state in {"completed", "failed"}:
        run_all()
    if state == "cancelled":
        queue.cancel(queue.jobs(queue="emails").records[0].id)
    if state == "delayed":
        queue.clean("emails", state="waiting")
        SendEmail.options(delay_s=900).dispatch(user_id=1)
    assert queue.counts()["emails"][state] == 1
    assert f"0 {state} jobs of emails deleted." in post(visitor, "queue/emails/clean", state=state, age="1h").text
    assert queue.counts()["emails"][state] == 1
    assert f"1 {state} job of emails deleted." in post(visitor, "queue/emails/clean", state=state, age="any").text
    assert queue.counts()["emails"][state] == 0


def test_cleaning_goes_in_steps(visitor: FlaskClient, queue: FlaskQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request deletes so many at most, and leads back to the question for the rest."""
    monkeypatch.setattr(queues, "AT_ONCE", 300)
    SendEmail.dispatch_many([{"user_id": number} for number in range(700)])
    asked = f"{EMAILS}?clean=waiting&age=any"
    told = []
    for _ in range(3):
        answer = post(visitor, "queue/emails/clean", state="waiting", age="any", back=asked)
        told.append((re.findall(r"(\d+) waiting jobs of emails deleted", answer.text), "Press again" in answer.text))
    assert told == [(["300"], True), (["300"], True), (["100"], False)]
    assert queue.counts()["emails"]["waiting"] == 0


def test_too_many_to_look_at_are_left_to_the_command_line(
    visitor: FlaskClient, queue: FlaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unfinished jobs are in no order of age: beyond some number the page names the command instead."""
    monkeypatch.setattr(queues, "MOST_LOOKED_AT", 2)
    SendEmail.dispatch_many([{"user_id": number} for number in range(3)])
    command = "flask queue clean emails --state waiting --older-than 1h"
    text = visitor.get(EMAILS, query_string={"clean": "waiting", "age": "1h"}).text
    assert command in text
    assert "Delete them" not in text
    assert command in post(visitor, "queue/emails/clean", state="waiting", age="1h").text
    assert queue.counts()["emails"]["waiting"] == 3
    post(visitor, "queue/emails/clean", state="waiting", age="any")
    assert queue.counts()["emails"]["waiting"] == 0


@pytest.mark.parametrize(
    "fields", [{}, {"state": "failed"}, {"state": "active", "age": "any"}, {"state": "failed", "age": "x"}]
)
def test_wrong_fields_delete_nothing(visitor: FlaskClient, queue: FlaskQueue, fields: dict[str, str]) -> None:
    """Not even the default: what is to be deleted is said, or nothing is."""
    SendEmail.dispatch(user_id=13)
    run_all()
    assert "Nothing was deleted" in post(visitor, "queue/emails/clean", **fields).text
    assert queue.counts()["emails"]["failed"] == 1
    assert not trail(queue)


def test_a_reader_sees_no_form_that_works(make_app: MakeApp) -> None:
    """Pause and delete are there, and disabled."""
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: "read")
    visitor = app.test_client()
    text = main_of(visitor.get(EMAILS, query_string={"clean": "failed", "age": "any"}).text)
    buttons = re.findall(r"<(?:button|select)[^>]*>", text)
    assert buttons
    assert all("disabled" in button for button in buttons if "fq-copy" not in button)
    for verb in ("pause", "resume", "clean"):
        assert visitor.post(f"{EMAILS}{verb}", data={"state": "failed", "age": "any"}).status_code == 403
