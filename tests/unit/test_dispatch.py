"""What dispatch accepts, and what it hands to the broker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from flask_queue.errors import InvalidPayload, JobNotRegistered, PayloadTooLarge, QueueError, UnknownQueue
from flask_queue.job import Job
from flask_queue.record import JobState
from tests.unit.jobs import RecordingBroker, app_with


class SendWelcomeEmail(Job):
    queue_name = "emails"
    priority = 5

    def handle(self, user_id: int, *, plan: str = "free", tags: list[str] | None = None) -> None: ...


class Nothing(Job):
    async def handle(self) -> None: ...


class SyncAccount(Job):
    unique_for_s = 60

    @staticmethod
    def unique_by(account_id: int, **_: Any) -> str:
        """Whatever else it is to do."""
        return str(account_id)

    def handle(self, account_id: int, *, full: bool = False) -> None: ...


class ImportContacts(Job):
    @staticmethod
    def tags(account_id: int, plan: str) -> list[str]:
        return [f"account:{account_id}", plan, f"account:{account_id}"]

    def handle(self, account_id: int, plan: str = "free") -> None: ...


@pytest.fixture
def broker() -> Iterator[RecordingBroker]:
    with app_with(SendWelcomeEmail, Nothing, SyncAccount, ImportContacts) as broker:
        yield broker


def dispatch(*args: Any, **kwargs: Any) -> Any:
    """Dispatch what type checkers would refuse."""
    untyped: Any = SendWelcomeEmail
    return untyped.dispatch(*args, **kwargs)


def test_a_record_comes_back(broker: RecordingBroker) -> None:
    """dispatch returns the record of what was stored, on the job's queue, with its defaults in the payload."""
    record = SendWelcomeEmail.dispatch(user_id=7)
    job = broker.jobs[0]
    assert record.id == f"emails:{job.message.message_id}"
    assert (record.name, record.queue, record.state) == ("SendWelcomeEmail", "emails", JobState.WAITING)
    assert record.payload == {"user_id": 7, "plan": "free", "tags": None}
    assert (job.priority, job.delay_ms, job.due_ms, job.explicit_id) == (5, 0, 0, False)
    assert (job.message.args, job.message.options) == ((), {})


def test_positions_become_names(broker: RecordingBroker) -> None:
    """Arguments may go by position where handle takes them so; the payload has names."""
    SendWelcomeEmail.dispatch(7, plan="pro")
    assert broker.jobs[0].message.kwargs == {"user_id": 7, "plan": "pro", "tags": None}


def test_no_parameters(broker: RecordingBroker) -> None:
    """A handle without parameters has an empty payload."""
    assert Nothing.dispatch().payload == {}


@pytest.mark.parametrize(
    ("args", "kwargs", "path", "told"),
    [
        ((), {}, "$.user_id", "missing"),
        ((), {"user_id": 1, "plans": 1}, "$.plans", "no such argument"),
        ((), {"plans": 1}, "$.plans", "handle takes (user_id, plan, tags)"),
        ((1, "pro"), {}, "$", "too many positional"),
        ((1,), {"user_id": 1}, "$", "multiple values"),
        ((), {"user_id": {1, 2}}, "$.user_id", "set"),
        ((), {"user_id": float("nan")}, "$.user_id", "nan"),
        ((b"x",), {}, "$.user_id", "bytes"),
        ((), {"user_id": 1, "tags": [datetime.now(UTC)]}, "$.tags[0]", "isoformat"),
    ],
)
def test_wrong_arguments(
    broker: RecordingBroker, args: tuple[object, ...], kwargs: dict[str, Any], path: str, told: str
) -> None:
    """Wrong, missing and surplus arguments raise InvalidPayload in the caller, and nothing is stored."""
    with pytest.raises(InvalidPayload) as caught:
        dispatch(*args, **kwargs)
    assert (caught.value.job, caught.value.path) == ("SendWelcomeEmail", path)
    assert told in str(caught.value)
    assert not hasattr(broker, "jobs")


def test_arguments_may_have_any_name() -> None:
    """Names that our own functions use are free for handle."""

    class Odd(Job):
        def handle(self, job: int, options: int, args: int, kwargs: int, payloads: int) -> None: ...

    with app_with(Odd):
        payload = Odd.dispatch(job=1, options=2, args=3, kwargs=4, payloads=5).payload
    assert payload == {"job": 1, "options": 2, "args": 3, "kwargs": 4, "payloads": 5}


def test_large_payloads() -> None:
    """More than QUEUE_MAX_PAYLOAD_BYTES of JSON raises PayloadTooLarge."""
    with app_with(SendWelcomeEmail, max_payload_bytes=200), pytest.raises(PayloadTooLarge) as caught:
        SendWelcomeEmail.dispatch(1, plan="x" * 200)
    assert caught.value.size > caught.value.limit == 200


def test_outside_of_an_app_context() -> None:
    """Without an app context the error says what to do."""
    with pytest.raises(QueueError, match="app_context"):
        SendWelcomeEmail.dispatch(1)


def test_unregistered_jobs() -> None:
    """A class is dispatched only if this very class is registered, not its parent or a namesake."""

    class Child(SendWelcomeEmail): ...

    class Namesake(SendWelcomeEmail):
        name = "SendWelcomeEmail"

    with app_with(SendWelcomeEmail):
        for job in (Nothing, Child, Namesake):
            with pytest.raises(JobNotRegistered) as caught:
                job.dispatch()  # type: ignore[call-arg]
            assert caught.value.job == job.__name__


def test_two_apps_have_their_own_brokers() -> None:
    """One class serves several apps; each dispatch goes to the current one's broker."""
    with app_with(Nothing) as first:
        with app_with(Nothing) as second:
            Nothing.dispatch()
        assert len(second.jobs) == 1
        assert not hasattr(first, "jobs")


def test_options_reach_the_broker(broker: RecordingBroker) -> None:
    """Each option is in the job that the broker gets."""
    SendWelcomeEmail.options(
        delay_s=1.5, priority=-100, queue_name="default", max_retries=0, timeout_s=9, job_id="order-7.v_1"
    ).dispatch(user_id=7)
    job = broker.jobs[0]
    assert (job.delay_ms, job.priority, job.explicit_id) == (1500, -100, True)
    assert (job.message.queue_name, job.message.message_id) == ("default", "order-7.v_1")
    assert job.message.options == {"max_retries": 0, "timeout_s": 9.0}


def test_at_is_an_absolute_time(broker: RecordingBroker) -> None:
    """`at` takes any time zone; what is past is due."""
    at = datetime(2100, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    SendWelcomeEmail.options(at=at).dispatch(1)
    SendWelcomeEmail.options(at=datetime(1950, 1, 1, tzinfo=UTC)).dispatch(1)
    assert [job.due_ms for job in broker.jobs] == [4_102_444_800_000, 1]


def test_options_can_be_used_again(broker: RecordingBroker) -> None:
    """What options() returns may dispatch many times."""
    soon = SendWelcomeEmail.options(delay_s=1)
    soon.dispatch(1)
    soon.dispatch_many([{"user_id": 2}])
    SendWelcomeEmail.dispatch(3)
    assert [job.delay_ms for job in broker.jobs] == [1000, 1000, 0]


@pytest.mark.parametrize(
    "options",
    [
        {"delay_s": -1},
        {"delay_s": "60"},
        {"delay_s": timedelta(1)},
        {"delay_s": float("inf")},
        {"delay_s": True},
        {"at": datetime(2100, 1, 1)},  # noqa: DTZ001
        {"at": 4_102_444_800},
        {"delay_s": 1, "at": datetime.now(UTC)},
        {"priority": 101},
        {"priority": -101},
        {"priority": 1.5},
        {"max_retries": -1},
        {"timeout_s": 0},
        {"job_id": ""},
        {"job_id": "a:b"},
        {"job_id": "x" * 129},
        {"job_id": "x\n"},
        {"job_id": 7},
        {"unique_for_s": 0},
        {"unique_for_s": "60"},
        {"unique_key": ""},
        {"after_commit": "yes"},
        {"unique_key": 7},
        {"queue_name": ["emails"]},
    ],
)
def test_wrong_options(options: dict[str, Any]) -> None:
    """A wrong value is a ValueError that names the option."""
    with pytest.raises(ValueError, match=next(iter(options))):
        SendWelcomeEmail.options(**options)


def locks(broker: RecordingBroker) -> list[tuple[int, str]]:
    """Milliseconds and name of the lock of each job that was sent."""
    words = [job.lock.split(" ") for job in broker.jobs]
    return [(int(for_ms), name) for for_ms, name in words]


def test_a_job_is_unique_by_what_it_says(broker: RecordingBroker) -> None:
    """The key of unique_by, which gets the payload with its defaults, for unique_for_s."""
    SyncAccount.dispatch(7)
    SyncAccount.options(unique_for_s=0.0001).dispatch(7, full=True)
    SyncAccount.dispatch(8)
    (for_ms, name), (briefly_ms, same), (_, other) = locks(broker)
    assert (for_ms, briefly_ms, name == same, name == other) == (60_000, 1, True, False)


def test_a_job_is_unique_by_its_payload(broker: RecordingBroker) -> None:
    """Without unique_by; defaults that are left out are part of it, the order of arguments is not."""
    unique = SendWelcomeEmail.options(unique_for_s=1)
    unique.dispatch(7)
    unique.dispatch(plan="free", user_id=7)
    unique.dispatch(7, plan="pro")
    names = [name for _, name in locks(broker)]
    assert (names[0] == names[1], names[0] == names[2]) == (True, False)


def test_a_dispatch_may_have_a_key_of_its_own(broker: RecordingBroker) -> None:
    """It stands in for that of unique_by; names of jobs keep equal keys apart."""
    SyncAccount.options(unique_key="7").dispatch(99)
    SyncAccount.dispatch(7)
    Nothing.options(unique_key="7", unique_for_s=1).dispatch()
    names = [name for _, name in locks(broker)]
    assert (names[0] == names[1], names[0] == names[2]) == (True, False)


def test_long_and_odd_keys_are_short_names(broker: RecordingBroker) -> None:
    """Whatever text a key is, Redis keeps a short one."""
    for key in ("x" * 10_000, "\n \udc80", "é"):
        SyncAccount.options(unique_key=key).dispatch(1)
    assert {len(name) for _, name in locks(broker)} == {20}


def test_jobs_are_not_unique_by_themselves(broker: RecordingBroker) -> None:
    """Only a class or a dispatch that says for how long has a lock."""
    SendWelcomeEmail.dispatch(7)
    assert broker.jobs[0].lock == ""


def test_a_key_needs_a_time(broker: RecordingBroker) -> None:
    """A unique_key that nothing limits in time would be ignored, so it is refused."""
    with pytest.raises(ValueError, match="unique_for_s"):
        SendWelcomeEmail.options(unique_key="7").dispatch(7)
    assert not hasattr(broker, "jobs")


def test_a_key_is_a_text() -> None:
    """A unique_by that returns anything else is told, before anything is sent."""

    class Wrong(Job):
        unique_for_s = 60

        @staticmethod
        def unique_by(**payload: Any) -> Any:
            return payload["account_id"]

        def handle(self, account_id: int) -> None: ...

    with app_with(Wrong) as broker:
        with pytest.raises(InvalidPayload, match=r"must return a text .str., not int"):
            Wrong.dispatch_many([{"account_id": 7}])
        assert not hasattr(broker, "jobs")


def test_unknown_queues(broker: RecordingBroker) -> None:
    """A queue that is not configured raises UnknownQueue."""
    with pytest.raises(UnknownQueue, match="imagess"):
        SendWelcomeEmail.options(queue_name="imagess").dispatch(1)


def test_many_are_stored_in_order(broker: RecordingBroker) -> None:
    """dispatch_many returns records in order, from any iterable."""
    records = SendWelcomeEmail.dispatch_many({"user_id": number} for number in range(600))
    assert [record.payload["user_id"] for record in records] == list(range(600))
    assert len({record.id for record in records}) == 600
    calls: Any = broker.store
    assert calls.calls == [("enqueue", "emails", 256), ("enqueue", "emails", 256), ("enqueue", "emails", 88)]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [({"user": 1}, "$.user"), ({}, "$.user_id"), ({"user_id": {1}}, "$.user_id"), ([1], "$"), ({1: 2}, "$")],
)
def test_many_are_all_checked_first(broker: RecordingBroker, wrong: Any, path: str) -> None:
    """One wrong payload and nothing is sent; a note says which it was."""
    with pytest.raises(InvalidPayload) as caught:
        SendWelcomeEmail.dispatch_many([{"user_id": 1}, {"user_id": 2}, wrong])
    assert caught.value.path == path
    assert "payload 2 of dispatch_many" in caught.value.__notes__[0]
    assert not hasattr(broker, "jobs")


def test_many_with_ids(broker: RecordingBroker) -> None:
    """job_ids gives each job its id, so that sending again is safe."""
    records = SendWelcomeEmail.dispatch_many([{"user_id": 1}, {"user_id": 2}], job_ids=["a", "b"])
    assert [record.id for record in records] == ["emails:a", "emails:b"]
    assert all(job.explicit_id for job in broker.jobs)


@pytest.mark.parametrize("ids", [["a"], ["a", "b", "c"], "ab", ["a", "b c"]])
def test_many_with_wrong_ids(broker: RecordingBroker, ids: Any) -> None:
    """Ids that are not one for each payload, or no ids, are a ValueError before anything is sent."""
    with pytest.raises(ValueError, match="job_id"):
        SendWelcomeEmail.dispatch_many([{"user_id": 1}, {"user_id": 2}], job_ids=ids)
    assert not hasattr(broker, "jobs")


def test_one_id_for_many_is_refused(broker: RecordingBroker) -> None:
    """options(job_id=…) names a single job, and would merge all of them."""
    with pytest.raises(ValueError, match="job_ids"):
        SendWelcomeEmail.options(job_id="a").dispatch_many([{"user_id": 1}])


def test_no_payloads(broker: RecordingBroker) -> None:
    """Nothing to send is no error."""
    assert SendWelcomeEmail.dispatch_many([]) == []


def test_a_job_has_the_tags_of_its_payload(broker: RecordingBroker) -> None:
    """Each once, with the payload's defaults; most jobs have none."""
    record = ImportContacts.dispatch(7)
    assert record.tags == broker.jobs[0].tags == ("account:7", "free")
    [many] = ImportContacts.dispatch_many([{"account_id": 8, "plan": "pro"}])
    assert many.tags == ("account:8", "pro")
    assert SendWelcomeEmail.dispatch(7, tags=["of the payload"]).tags == ()


def test_wrong_tags_are_told_by_the_job(broker: RecordingBroker) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidPayload, match=r"^ImportContacts: \$: tags returned '': give texts of 1 to 100"):
        ImportContacts.dispatch_many([{"account_id": 7}, {"account_id": 8, "plan": ""}])
    assert not hasattr(broker, "jobs")
