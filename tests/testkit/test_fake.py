"""What a fake tells of what was dispatched, and where it counts."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_queue import FlaskQueue, Job, JobRecord, Queue, QueueError, QueueUnavailable
from flask_queue.testing import Fake, drain, run_once, travel
from tests.testkit.conftest import SendMail, Sync, make_app


class Tagged(Job):
    @staticmethod
    def tags(user_id: int) -> list[str]:
        return [f"user:{user_id}", "vip"]

    def handle(self, user_id: int) -> None: ...


@pytest.fixture
def fake(queue: FlaskQueue, app: Flask) -> Any:
    """Three jobs were dispatched."""
    with queue.fake() as fake:
        SendMail.dispatch(7, extra={"names": ["a"], "on": True})
        SendMail.options(queue_name="default").dispatch(8, plan="pro")
        SendMail.dispatch(7)
    return fake


@pytest.mark.parametrize(
    "expect",
    [
        lambda fake: fake.assert_dispatched(SendMail),
        lambda fake: fake.assert_dispatched(SendMail, times=3),
        lambda fake: fake.assert_dispatched(SendMail, {}),
        lambda fake: fake.assert_dispatched(SendMail, {"user_id": 7}, times=2),
        lambda fake: fake.assert_dispatched(SendMail, {"user_id": 7, "plan": "free"}),
        lambda fake: fake.assert_dispatched(SendMail, {"extra": {"on": True}}, times=1),
        lambda fake: fake.assert_dispatched(SendMail, {"extra": None}, times=2),
        lambda fake: fake.assert_dispatched(SendMail, queue="emails", times=2),
        lambda fake: fake.assert_dispatched(SendMail, {"user_id": 8}, queue="default"),
        lambda fake: fake.assert_dispatched(SendMail, where=lambda record: record.payload["plan"] == "pro", times=1),
        lambda fake: fake.assert_dispatched(SendMail, {"user_id": 9}, times=0),
        lambda fake: fake.assert_dispatched(Sync, times=0),
        lambda fake: fake.assert_not_dispatched(Sync),
        lambda fake: fake.assert_not_dispatched(SendMail, {"user_id": 9}),
        lambda fake: fake.assert_not_dispatched(SendMail, {"user_id": 8, "plan": "free"}),
    ],
)
def test_what_holds(fake: Fake, expect: Callable[[Fake], None]) -> None:
    """A payload matches as a subset, in its objects, too."""
    expect(fake)


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        (lambda fake: fake.assert_dispatched(Sync), ["Sync was dispatched never, not at least once."]),
        (lambda fake: fake.assert_dispatched(SendMail, times=2), ["SendMail was dispatched 3 times, not 2 times."]),
        (
            lambda fake: fake.assert_dispatched(SendMail, {"user_id": 8, "plan": "free"}, queue="emails"),
            [
                'SendMail with {"user_id": 8, "plan": "free"} on queue emails was dispatched never, not at least once.',
                "its user_id is 7, not 8",
                'its plan is "pro", not "free"',
                "its queue is default, not emails",
            ],
        ),
        (lambda fake: fake.assert_dispatched(SendMail, {"colour": 1}), ["it has no colour"]),
        (lambda fake: fake.assert_dispatched(SendMail, {"extra": {"on": 1}}), ["its extra.on is true, not 1"]),
        (
            lambda fake: fake.assert_dispatched(SendMail, where=lambda record: False),
            ["SendMail where it was asked for", "where() is not true of it"],
        ),
        (lambda fake: fake.assert_not_dispatched(SendMail), ["SendMail was dispatched 3 times, not never."]),
        (
            lambda fake: fake.assert_not_dispatched(SendMail, {"plan": "pro"}),
            ['SendMail with {"plan": "pro"} was dispatched once, not never.'],
        ),
        (lambda fake: fake.assert_nothing_dispatched(), ["Something was dispatched."]),
    ],
)
def test_what_fails_shows_all_that_was_dispatched(fake: Fake, expect: Callable[[Fake], None], told: list[str]) -> None:
    """And where it differs."""
    with pytest.raises(AssertionError) as raised:
        expect(fake)
    text = str(raised.value)
    for line in [*told, "Dispatched (3):", '  SendMail on default: {"user_id": 8, "plan": "pro", "extra": null}']:
        assert line in text


def test_nothing_dispatched(queue: FlaskQueue, app: Flask) -> None:
    """It says so."""
    with queue.fake() as fake:
        fake.assert_nothing_dispatched()
    with pytest.raises(AssertionError, match=r"not at least once\.\nNothing was dispatched\."):
        fake.assert_dispatched(Sync)


def test_long_payloads_and_many_jobs_are_cut(queue: FlaskQueue, app: Flask) -> None:
    """A failure stays readable."""
    with queue.fake() as fake:
        SendMail.dispatch_many([{"user_id": number, "extra": "x" * 5000} for number in range(40)])
    with pytest.raises(AssertionError) as raised:
        fake.assert_dispatched(SendMail, {"extra": "y" * 5000})
    assert len(str(raised.value)) < 50_000
    assert "… and 10 more" in str(raised.value)


def test_records(fake: Fake) -> None:
    """Of one job, or of all, the first first; also after the block."""
    assert [record.payload["user_id"] for record in fake.dispatched(SendMail)] == [7, 8, 7]
    assert fake.dispatched(Sync) == []
    assert all(isinstance(record, JobRecord) for record in fake.dispatched())


def test_a_delay_is_shown(queue: FlaskQueue, app: Flask) -> None:
    """As the record's due time."""
    with queue.fake() as fake:
        record = SendMail.options(delay_s=60).dispatch(7)
        fake.assert_dispatched(SendMail, where=lambda record: record.scheduled_at is not None)
        with pytest.raises(AssertionError, match=f"due {record.scheduled_at:%Y-%m-%d %H:%M:%S} UTC"):
            fake.assert_nothing_dispatched()


def test_what_else_a_job_has_is_shown(queue: FlaskQueue, app: Flask) -> None:
    """As `where` may have been about it: priority and tags."""
    queue.register(Tagged)
    with queue.fake() as fake:
        Tagged.options(priority=5).dispatch(7)
        Sync.dispatch()
    with pytest.raises(AssertionError) as raised:
        fake.assert_dispatched(Tagged, where=lambda record: record.priority > 5)
    told = ['  Tagged on default: {"user_id": 7}, priority 5, tags user:7, vip', "    where() is not true of it"]
    assert str(raised.value).splitlines()[2:] == [*told, "  Sync on default: {}"]


def test_of_many_jobs_those_that_were_asked_for_are_shown(queue: FlaskQueue, app: Flask) -> None:
    """However many others came before them."""
    with queue.fake() as fake:
        Sync.dispatch_many([{} for _ in range(100)], job_ids=[str(number) for number in range(100)])
        SendMail.dispatch(7)
    with pytest.raises(AssertionError, match="its user_id is 7, not 8"):
        fake.assert_dispatched(SendMail, {"user_id": 8})


def test_what_waits_for_a_commit_is_shown_apart(queue: FlaskQueue) -> None:
    """While its transaction goes on, and after a ROLLBACK; not once it is committed."""
    app = make_app(queue, SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)
    with app.app_context(), queue.fake() as fake:
        for number, end in enumerate(["rollback", "commit", "expire_all"]):
            db.session.execute(db.text("select 1"))
            SendMail.options(after_commit=True).dispatch(number)
            getattr(db.session, end)()
        with pytest.raises(AssertionError) as raised:
            fake.assert_dispatched(SendMail, {"user_id": 2})
        db.session.rollback()
        db.engine.dispose()
    told = [f'  SendMail on emails: {{"user_id": {number}, "plan": "free", "extra": null}}' for number in (1, 0, 2)]
    lines = str(raised.value).splitlines()
    assert lines[1:3] == ["Dispatched (1):", told[0]]
    assert lines[4:] == ["Not dispatched, for want of a COMMIT (2):", *told[1:]]


@pytest.mark.parametrize("job", ["SendMail", SendMail(), int])
def test_what_is_no_job_is_refused(queue: FlaskQueue, app: Flask, job: Any) -> None:
    """Instead of never having been dispatched."""
    with queue.fake() as fake, pytest.raises(TypeError, match="give a Job class"):
        fake.assert_not_dispatched(job)


def test_plain_actors(queue: FlaskQueue, app: Flask) -> None:
    """They are asked for as they were made."""
    note = queue.actor(queue_name="emails")(print)
    with queue.fake() as fake:
        note.send("hello", end="")
    fake.assert_dispatched(note, {"args": ["hello"], "kwargs": {"end": ""}}, queue="emails")


def test_duplicates_are_not_counted(queue: FlaskQueue, app: Flask) -> None:
    """They stored nothing."""
    with queue.fake() as fake:
        for _ in range(2):
            SendMail.options(job_id="a").dispatch(7)
    fake.assert_dispatched(SendMail, times=1)


def test_the_innermost_block_counts(queue: FlaskQueue, app: Flask) -> None:
    """And after it the outer one; after that the real store."""
    with queue.fake() as outer:
        Sync.dispatch()
        with queue.fake() as inner:
            SendMail.dispatch(7)
        with queue.inline():
            SendMail.dispatch(8)
        Sync.dispatch()
    assert [record.name for record in outer.dispatched()] == ["Sync", "Sync"]
    assert [record.name for record in inner.dispatched()] == ["SendMail"]
    with pytest.raises(QueueUnavailable):
        Sync.dispatch()


def test_a_block_ends_with_an_error(queue: FlaskQueue, app: Flask) -> None:
    """As well as without one."""
    with pytest.raises(KeyError), queue.fake():
        raise KeyError
    with pytest.raises(QueueUnavailable):
        Sync.dispatch()


def test_all_apps_of_the_extension(queue: FlaskQueue) -> None:
    """Also those that are made inside the block; not those of another extension."""
    first = make_app(queue, "first")
    other = FlaskQueue(queues=[Queue("default"), Queue("emails")], jobs=[Sync])
    stranger = make_app(other, "stranger")
    with queue.fake() as fake:
        for app in (first, make_app(queue, "second")):
            with app.app_context():
                Sync.dispatch()
        with stranger.app_context(), pytest.raises(QueueUnavailable):
            Sync.dispatch()
    fake.assert_dispatched(Sync, times=2)


def test_all_threads(queue: FlaskQueue, app: Flask) -> None:
    """Each dispatch is recorded once, also where many have the same id or key."""

    def work() -> None:
        with app.app_context():
            for number in range(100):
                SendMail.dispatch(number)
                Sync.options(job_id=f"a{number}").dispatch()
                Sync.options(unique_for_s=60, unique_key=f"k{number}").dispatch()

    with queue.fake() as fake:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    fake.assert_dispatched(SendMail, times=400)
    fake.assert_dispatched(Sync, times=200)


def test_requests(queue: FlaskQueue, app: Flask) -> None:
    """What a view dispatches is seen by the test of it."""
    app.add_url_rule("/<int:user_id>", view_func=lambda user_id: {"id": SendMail.dispatch(user_id).id})
    with queue.fake() as fake:
        answer = app.test_client().get("/7")
    assert answer.get_json() == {"id": fake.dispatched()[0].id}
    fake.assert_dispatched(SendMail, {"user_id": 7}, times=1)


def test_nothing_can_be_run_by_hand(queue: FlaskQueue, app: Flask) -> None:
    """The error says why."""
    for block in (queue.fake, queue.inline):
        with block():
            for call in (drain, run_once, lambda: travel(1)):
                with pytest.raises(QueueError, match=r"Inside queue\.fake\(\)"):
                    call()


def test_a_fake_keeps_no_app(queue: FlaskQueue) -> None:
    """Once it is gone itself."""
    app = make_app(queue)
    with app.app_context(), queue.fake():
        Sync.dispatch()
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None
