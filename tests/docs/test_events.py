"""What the page about events shows works as it stands there."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session, object_session

from flask_queue import Job, JobState, signals
from tests.worker.conftest import MakeBench, make_bench

__all__ = ["make_bench"]  # a fixture

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text()


def example(word: str) -> str:
    """The block of Python that has this word."""
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return found


def run(program: str, **names: Any) -> dict[str, Any]:
    """What a program defines."""
    defined = {"__name__": "shop", "Flask": Flask, "Job": Job, **names}
    exec(compile(program, "events.md", "exec", dont_inherit=True), defined)
    return defined


class ReportIsReady(Job):
    def handle(self, path: str) -> str:
        return path


def test_hooks(make_bench: MakeBench) -> None:
    """The one dispatches a job once, the other tells of the error."""
    told: list[str] = []
    paths = iter(["7.pdf"])
    shop = run(
        example("on_completed"), render=lambda account_id: next(paths), notify=told.append, ReportIsReady=ReportIsReady
    )
    shop["MakeReport"].max_retries = 0
    bench = make_bench(shop["MakeReport"], ReportIsReady)
    shop["MakeReport"].dispatch(account_id=7)
    bench.run_all()
    (ready,) = bench.queue.jobs(name="ReportIsReady").records
    assert ready.result == "7.pdf"
    job_id = shop["MakeReport"].dispatch(account_id=8).id
    bench.run_all()
    assert told == [f"{job_id} failed: "]


class Fails(Job):
    max_retries = 0

    def handle(self) -> None:
        raise ValueError("no such user")


def test_a_receiver(make_bench: MakeBench, caplog: pytest.LogCaptureFixture) -> None:
    """It logs in the app's own log."""
    alert = run(example("job_failed.connect"))["alert"]
    try:
        bench = make_bench(Fails)
        job_id = Fails.dispatch().id
        with caplog.at_level(logging.ERROR, bench.app.name):
            bench.run_all()
    finally:
        signals.job_failed.disconnect(alert)
    assert bench.queue.get(job_id).state is JobState.FAILED
    assert f"{job_id} failed for good: no such user" in caplog.text


def test_every_signal_has_its_row() -> None:
    """And no row is of one that there is not."""
    assert sorted(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == sorted(signals.__all__)


class SendWelcomeEmail(Job):
    def handle(self, user_id: int) -> None: ...


class TellTheTeam(Job):
    def handle(self, text: str) -> None: ...


class IndexUsers(Job):
    def handle(self, user_ids: list[int]) -> None: ...


def test_a_bridge(make_bench: MakeBench) -> None:
    """From a signal of the app's own, until it is disconnected."""
    bench = make_bench(SendWelcomeEmail)
    user = SimpleNamespace(id=7)
    shop = run(
        example("user-signed-up"),
        queue=bench.queue,
        SendWelcomeEmail=SendWelcomeEmail,
        current_app=current_app,
        User=SimpleNamespace,
    )
    shop["sign_up"](user)
    shop["welcome"].disconnect()
    shop["sign_up"](user)
    assert [record.payload for record in bench.queue.jobs().records] == [{"user_id": 7}]


def test_a_bridge_from_flasks_own_signal(make_bench: MakeBench) -> None:
    """For a request that fails."""
    bench = make_bench(TellTheTeam)
    shop = run(example("got_request_exception"), queue=bench.queue, TellTheTeam=TellTheTeam)
    bench.app.add_url_rule("/", view_func=lambda: str(1 // 0))
    assert bench.app.test_client().get("/").status_code == 500
    assert [record.payload for record in bench.queue.jobs().records] == [{"text": repr(ZeroDivisionError(_TEXT))}]
    assert shop


#: What Python says of a division by zero.
_TEXT = "integer division or modulo by zero"


def test_model_events(make_bench: MakeBench) -> None:
    """After COMMIT a job for what was inserted, after ROLLBACK none; by both ways that the page shows."""
    bench = make_bench(SendWelcomeEmail, IndexUsers)
    bench.app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SQLALCHEMY_TRACK_MODIFICATIONS=True)
    db = SQLAlchemy(bench.app)

    class User(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)

    db.create_all()
    names = {"db": db, "User": User, "queue": bench.queue, "object_session": object_session, "Session": Session}
    shop = run(example("models_committed"), IndexUsers=IndexUsers, **names)
    run(example("after_rollback"), SendWelcomeEmail=SendWelcomeEmail, **names)
    db.session.add(User())
    db.session.flush()
    db.session.rollback()
    assert not bench.queue.jobs().records
    db.session.add_all([User(), User()])
    db.session.commit()
    payloads = [record.payload for record in bench.queue.jobs().records]
    assert sorted(payloads, key=str) == [{"user_id": 1}, {"user_id": 2}, {"user_ids": [1, 2]}]
    db.session.remove()
    db.engine.dispose()
    assert shop["index"](bench.app, []) is None
