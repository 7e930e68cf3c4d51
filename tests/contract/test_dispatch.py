"""What a dispatch checks, stores and returns, whether it goes to Redis, runs inline, or is only recorded."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_queue import (
    Fail,
    InvalidPayload,
    Job,
    JobIdConflict,
    JobNotRegistered,
    JobRecord,
    JobState,
    PayloadTooLarge,
    QueueError,
    UnknownQueue,
    signals,
)
from tests.contract.conftest import NOWHERE, Kit


class SendMail(Job):
    queue_name = "emails"
    priority = 5

    @staticmethod
    def tags(user_id: int, **_: Any) -> list[str]:
        return [f"user:{user_id}"]

    def handle(self, user_id: int, *, plan: str = "free", extra: Any = None) -> int:
        return user_id


class Sync(Job):
    unique_for_s = 60

    def handle(self, account_id: int) -> None: ...


class Stranger(Job):
    def handle(self) -> None: ...


def untyped(job: type[Job]) -> Any:
    """For calls that type checkers refuse."""
    return job


def test_the_record(kit: Kit) -> None:
    """What was given, and what the class says; times in UTC."""
    kit.start(SendMail)
    record = SendMail.options(job_id="a-1", max_retries=2).dispatch(user_id=7, extra={"names": ["Ü", None, 1.5]})
    payload = {"user_id": 7, "plan": "free", "extra": {"names": ["Ü", None, 1.5]}}
    for found in (record, kit.record("emails:a-1")):
        assert (found.id, found.name, found.queue, found.payload) == ("emails:a-1", "SendMail", "emails", payload)
        assert (found.priority, found.max_retries, found.tags) == (5, 2, ("user:7",))
        assert found.created_at is not None
        assert abs(datetime.now(UTC) - found.created_at) < timedelta(seconds=30)
        assert (found.deduplicated, found.pending_commit) == (False, False)
    assert record.state is (JobState.COMPLETED if kit.kind == "inline" else JobState.WAITING)


def test_the_record_that_is_kept_is_the_one_that_came_back(kit: Kit) -> None:
    """In all that it says."""
    kit.start(SendMail, Sync)
    for record in (SendMail.dispatch(7), Sync.dispatch(1), SendMail.options(delay_s=60).dispatch(8)):
        kept = kit.record(record.id)
        for field in fields(JobRecord):
            assert getattr(kept, field.name) == getattr(record, field.name), field.name


def test_other_queues_and_priorities(kit: Kit) -> None:
    """As the options say."""
    kit.start(SendMail)
    record = SendMail.options(queue_name="default", priority=-3).dispatch(7)
    assert (record.queue, record.priority, record.id.partition(":")[0]) == ("default", -3, "default")


def test_a_delay(kit: Kit) -> None:
    """Delayed until then; inline runs at once."""
    kit.start(SendMail)
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    by_time, by_delay = SendMail.options(at=at).dispatch(7), SendMail.options(delay_s=3600).dispatch(8)
    past = SendMail.options(at=at - timedelta(hours=2)).dispatch(9)
    if kit.kind == "inline":
        assert {record.state for record in (by_time, by_delay, past)} == {JobState.COMPLETED}
        return
    assert (by_time.state, by_time.scheduled_at, past.state, past.scheduled_at) == ("delayed", at, "waiting", None)
    assert by_delay.scheduled_at is not None
    assert abs(by_delay.scheduled_at - at) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({}, "$.user_id"),
        ({"user_id": 7, "colour": "red"}, "$.colour"),
        ({"user_id": 7, "extra": {"created": datetime(2026, 1, 1, tzinfo=UTC)}}, "$.extra.created"),
        ({"user_id": 7, "extra": (1, 2)}, "$.extra"),
        ({"user_id": 7, "extra": {1: 2}}, "$.extra"),
        ({"user_id": float("nan")}, "$.user_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_payloads(kit: Kit, arguments: dict[str, Any], path: str) -> None:
    """The error names the place, and nothing is stored, also of what came with it."""
    kit.start(SendMail)
    with pytest.raises(InvalidPayload) as raised:
        untyped(SendMail).dispatch(**arguments)
    assert (raised.value.job, raised.value.path) == ("SendMail", path)
    with pytest.raises(InvalidPayload) as raised:
        SendMail.dispatch_many([{"user_id": 1}, arguments])
    assert "payload 1 of dispatch_many" in str(raised.value.__notes__)
    assert kit.records() == []


def test_a_payload_that_is_too_large(kit: Kit) -> None:
    """By the app's own limit."""
    kit.start(SendMail, QUEUE_MAX_PAYLOAD_BYTES=100)
    with pytest.raises(PayloadTooLarge) as raised:
        SendMail.dispatch(7, extra="x" * 100)
    assert (raised.value.limit, raised.value.size > 100) == (100, True)
    assert kit.records() == []


def test_what_is_not_known(kit: Kit) -> None:
    """A job that nobody registered, a queue that is not configured, options that cannot be."""
    kit.start(SendMail)
    with pytest.raises(JobNotRegistered) as unregistered:
        Stranger.dispatch()
    assert unregistered.value.job == "Stranger"
    with pytest.raises(UnknownQueue) as unknown:
        SendMail.options(queue_name="nowhere").dispatch(7)
    assert unknown.value.queue == "nowhere"
    with pytest.raises(ValueError, match="job_id"):
        SendMail.options(job_id="a b")
    with pytest.raises(ValueError, match="unique_key"):
        SendMail.options(unique_key="a").dispatch(7)
    assert kit.records() == []


def test_outside_of_an_app_context(kit: Kit) -> None:
    """The error says what to do."""
    kit.start(SendMail)
    with kit.app.app_context():
        pass
    kit_context = kit._contexts.pop_all()
    try:
        with Flask("other").app_context(), pytest.raises(QueueError, match="has no FlaskQueue"):
            SendMail.dispatch(7)
    finally:
        kit_context.close()
    with pytest.raises(QueueError, match="app context"):
        SendMail.dispatch(7)


def test_an_id_that_is_used_twice(kit: Kit) -> None:
    """One job, whose record comes back; another job's id is refused; each queue has its own ids."""
    kit.start(SendMail, Sync)
    first = SendMail.options(job_id="a").dispatch(7)
    second = SendMail.options(job_id="a").dispatch(8)
    assert (second.id, second.payload, second.deduplicated) == (first.id, first.payload, True)
    assert Sync.options(job_id="a").dispatch(1).id == "default:a"
    with pytest.raises(JobIdConflict) as raised:
        Sync.options(queue_name="emails", job_id="a").dispatch(1)
    assert raised.value.job_id == "emails:a"
    assert len(kit.records()) == 2


def test_unique_jobs(kit: Kit) -> None:
    """While one of the same key is unsettled, its record comes back; inline each is settled at once."""
    kit.start(SendMail, Sync)
    first, second, other = Sync.dispatch(1), Sync.dispatch(1), Sync.dispatch(2)
    assert other.deduplicated is False
    if kit.kind == "inline":
        assert second.id != first.id
        return
    assert (second.id, second.deduplicated) == (first.id, True)
    by_key = [SendMail.options(unique_for_s=60, unique_key="k").dispatch(number) for number in (1, 2)]
    assert by_key[1].payload["user_id"] == 1
    assert Sync.options(unique_for_s=0.001, unique_key="short").dispatch(5).deduplicated is False


def test_many(kit: Kit) -> None:
    """Records in order, ids as given, duplicates inside the same call."""
    kit.start(SendMail)
    records = SendMail.dispatch_many([{"user_id": number} for number in (1, 2, 3)], job_ids=["a", "b", "a"])
    assert [record.id for record in records] == ["emails:a", "emails:b", "emails:a"]
    assert [record.deduplicated for record in records] == [False, False, True]
    assert sorted(record.id for record in kit.records()) == ["emails:a", "emails:b"]
    with pytest.raises(ValueError, match="one id for each"):
        SendMail.dispatch_many([{"user_id": 1}], job_ids=[])
    assert len(SendMail.dispatch_many({"user_id": number} for number in range(300))) == 300


def test_the_payload_is_what_json_made_of_it(kit: Kit) -> None:
    """What the caller does to its objects later changes nothing."""
    kit.start(SendMail)
    names = ["a"]
    record = SendMail.dispatch(7, extra=names)
    names.append("b")
    assert kit.record(record.id).payload["extra"] == ["a"]


def test_plain_actors(kit: Kit) -> None:
    """Sent as Dramatiq has it."""
    queue = kit.start()
    actor = queue.actor(queue_name="emails")(print)
    message = actor.send("hello")
    record = kit.record(f"emails:{message.message_id}")
    assert (record.name, record.payload) == ("print", {"args": ["hello"], "kwargs": {}})
    with pytest.raises(InvalidPayload):
        actor.send(object())


def test_the_dispatch_is_told(kit: Kit) -> None:
    """By its signal, with the record."""
    kit.start(SendMail)
    told: list[str] = []

    def receive(app: Flask, record: JobRecord) -> None:
        told.append(record.id)

    with signals.job_dispatched.connected_to(receive, sender=kit.app):
        ids = [record.id for record in SendMail.dispatch_many([{"user_id": 1}, {"user_id": 2}])]
    assert told == ids


class Committed(Job):
    after_commit = True

    def handle(self, user_id: int) -> int:
        return user_id


def test_after_commit(kit: Kit) -> None:
    """Dispatched, and run, at COMMIT, and at ROLLBACK not at all."""
    kit.start(Committed, SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(kit.app)
    try:
        for user_id, end in enumerate([db.session.rollback, db.session.commit]):
            db.session.execute(db.text("select 1"))
            record = Committed.dispatch(user_id)
            assert (record.pending_commit, record.payload) == (True, {"user_id": user_id})
            assert kit.records() == []
            end()
        kit.run()
        (found,) = kit.records()
        assert (found.payload, found.pending_commit) == ({"user_id": 1}, False)
        assert found.result == (None if kit.kind == "fake" else 1)
    finally:
        db.session.remove()
        db.engine.dispose()


class Wrecked(Committed):
    def handle(self, user_id: int) -> int:
        raise Fail("it is broken")


def test_after_commit_inline_raises_what_the_job_raises() -> None:
    """Out of COMMIT, which stands."""
    kit = Kit("inline", NOWHERE)
    kit.start(Wrecked, SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(kit.app)
    db.session.execute(db.text("select 1"))
    Wrecked.dispatch(1)
    with pytest.raises(Fail, match="broken"):
        db.session.commit()
    db.session.remove()
    db.engine.dispose()
    kit.close()
