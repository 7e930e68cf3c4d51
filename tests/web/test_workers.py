"""The page of worker processes: what they are and run, and what can be asked of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_queue import Job
from flask_queue.current import current_broker
from flask_queue.store.roster import Request, Shown
from flask_queue.versions import installed
from flask_queue.worker import Worker
from tests.support import wait_until

from .conftest import HOME, MakeApp, post, token_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask.testing import FlaskClient

    from flask_queue import FlaskQueue

PAGE = f"{HOME}workers/"
MINUTE_MS = 60_000


class Held(Job):
    """Runs until the test lets it go."""

    done = threading.Event()

    def handle(self) -> None:
        """Wait."""
        self.done.wait(30)


def show_up(
    worker: str = "web1-7-ab",
    *,
    running: Sequence[tuple[str, str, str, int, int]] = (),
    version: str = installed("flask-queue"),
    host: str = "web1",
) -> Request | None:
    """Let a worker tell of itself; returns what it is asked to do."""
    broker = current_broker()
    shown = Shown(host, 7, version, {"default": 2, "emails": 4}, 3 * MINUTE_MS, 50 << 20, running)
    return broker.store.roster.report(broker.store.client, worker, shown, lease_ms=broker.config.lease_ms)


def page(visitor: FlaskClient, **args: str) -> str:
    """The page as text, on one line."""
    return " ".join(visitor.get(PAGE, query_string=args).text.split())


def test_without_workers_the_page_says_how_to_start_one(visitor: FlaskClient) -> None:
    """Nothing to restart then, and no warning for each queue."""
    text = page(visitor)
    assert "No worker is alive" in text
    assert "<code>flask queue work</code>" in text
    assert "Restart all" not in text
    assert "No process takes jobs" not in text


def test_a_process_is_shown_with_its_queues_and_figures(visitor: FlaskClient) -> None:
    """Host, pid, id, threads of each queue, how many are busy, memory, version."""
    show_up(running=[("emails", "a1", "SendEmail", 1500, MINUTE_MS)])
    text = page(visitor)
    assert "1 process on 1 host, 1 of 6 threads busy" in text
    plain = text.replace("\N{MULTIPLICATION SIGN}", "x").replace("<wbr>", "")
    for part in ("web1-7-ab", "pid 7", "default x 2", "emails x 4", "1 of 6", "50.0 MiB", installed("flask-queue")):
        assert part in plain, part
    assert 'href="/admin/queues/jobs/emails:a1/"' in text
    assert "fq-advice" not in text


def test_what_a_real_worker_runs_is_listed(visitor: FlaskClient, app: Flask) -> None:
    """It shows while it runs, with a link to the job."""
    app.extensions["queue"].register(Held)
    worker = Worker(current_broker(), {"default": 1})
    worker.start()
    try:
        job = Held.dispatch()
        wait_until(lambda: f"/admin/queues/jobs/{job.id}/" in page(visitor), 15, what="the run is listed")
        assert worker.id in page(visitor).replace("<wbr>", "")
    finally:
        Held.done.set()
        assert worker.stop()
    wait_until(lambda: "No worker is alive" in page(visitor), what="the worker is gone")


def test_an_overdue_run_comes_first_and_is_explained(visitor: FlaskClient) -> None:
    """What it means, and what to press."""
    runs = [("default", "old", "Report", 9 * MINUTE_MS, 60 * MINUTE_MS), ("emails", "late", "SendEmail", 5000, 1000)]
    show_up(running=runs)
    text = page(visitor)
    assert "1 run is overdue" in text
    assert "Stop the process to free the thread" in text
    assert text.index("emails:late") < text.index("default:old")


def test_another_version_and_a_queue_without_worker_are_warned_of(visitor: FlaskClient) -> None:
    """Each with the next step."""
    broker = current_broker()
    shown = Shown("web2", 8, "0.0.1", {"emails": 1}, 10, 1 << 20, [])
    broker.store.roster.report(broker.store.client, "w2", shown, lease_ms=broker.config.lease_ms)
    text = page(visitor)
    assert f"1 process of another version than this page ({installed('flask-queue')})" in text
    assert "No process takes jobs of default." in text
    assert "flask queue work --queues default" in text


@pytest.mark.parametrize(("verb", "state"), [("quiet", "quiet"), ("stop", "stopping")])
def test_one_process_is_asked_and_shows_it(visitor: FlaskClient, app: Flask, verb: str, state: str) -> None:
    """It hears of it with its next report, the others do not; the page tells, and so does the trail."""
    show_up("a"), show_up("b")
    answer = post(visitor, f"workers/{verb}", worker="a", back=PAGE)
    assert answer.request.path == PAGE
    assert f'fq-state-paused">{state}</span>' in answer.text
    assert (show_up("a"), show_up("b")) == (verb, None)
    queue: FlaskQueue = app.extensions["queue"]
    (entry,) = queue.audit().entries
    assert (entry.action, entry.target, entry.actor) == (verb, "a", "dashboard")
    assert {worker.id: worker.asked for worker in queue.workers()} == {"a": verb, "b": None}


def test_restart_asks_every_process(visitor: FlaskClient, app: Flask) -> None:
    """The answer says how many."""
    show_up("a"), show_up("b")
    answer = post(visitor, "workers/restart", back=PAGE)
    assert "2 processes will finish what runs and be replaced" in answer.text
    assert answer.text.count("restarting</span>") == 2
    assert (show_up("a"), show_up("b")) == ("restart", "restart")
    (entry,) = app.extensions["queue"].audit().entries
    assert (entry.action, entry.target, entry.actor, entry.details) == ("restart", "*", "dashboard", {"count": 2})


@pytest.mark.parametrize("worker", ["gone", "", "a\nb"])
@pytest.mark.parametrize("verb", ["quiet", "stop"])
def test_a_process_that_is_not_there_is_told_of(visitor: FlaskClient, app: Flask, verb: str, worker: str) -> None:
    """Nobody else is asked, and nothing is noted."""
    show_up("a")
    assert "fq-flash-error" in post(visitor, f"workers/{verb}", worker=worker, back=PAGE).text
    assert show_up("a") is None
    assert not app.extensions["queue"].audit().entries


def test_a_reader_sees_disabled_buttons_and_cannot_ask(make_app: MakeApp) -> None:
    """Looking is all that they may."""
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: "read")
    with app.app_context():
        show_up("a")
        visitor = app.test_client()
        text = page(visitor)
        assert text.count("disabled title=") == 3
        assert "<form" not in text.partition('id="fq-live"')[2].partition("<dialog")[0]
        assert visitor.post(f"{PAGE}stop", data={"worker": "a"}).status_code == 403
        assert show_up("a") is None


def test_nothing_changes_by_following_a_link(visitor: FlaskClient) -> None:
    """GET is no way to ask."""
    show_up("a")
    assert token_of(visitor)
    assert visitor.get(f"{PAGE}stop?worker=a").status_code == 405


def test_what_workers_say_is_escaped(visitor: FlaskClient) -> None:
    """Host, version, id and names of jobs come from elsewhere."""
    evil = "<script>alert(1)</script>"
    show_up(f"w{evil}", host=evil, version=evil, running=[("emails", "x", evil, 1, 1000)])
    assert evil not in visitor.get(PAGE).text


def test_many_processes_are_paged(visitor: FlaskClient) -> None:
    """Fifty a page; a page beyond the end is the last one, and nonsense the first."""
    for number in range(60):
        show_up(f"w{number:02}")
    assert page(visitor).count('id="worker-') == 50
    assert page(visitor, page="2").count('id="worker-') == 10
    assert page(visitor, page="99").count('id="worker-') == 10
    assert page(visitor, page="x").count('id="worker-') == 50


def test_many_runs_are_cut(visitor: FlaskClient) -> None:
    """The longest-running hundred are listed, and the number of all is told."""
    show_up(running=[("emails", f"j{n}", "SendEmail", 1000 + n, MINUTE_MS) for n in range(120)])
    text = page(visitor)
    assert text.count('id="run-') == 100
    assert "the 100 longest of 120" in text
    assert 'id="run-emails:j119"' in text
    assert 'id="run-emails:j19"' not in text
