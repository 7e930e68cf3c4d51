"""A user's program that type checkers must accept. It is checked, not run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, assert_type

from blinker import signal
from flask import Flask

from flask_queue import Backoff, Fail, FlaskQueue, Job, JobRecord, Queue, RateLimit, Release, Retry
from flask_queue.signals import job_failed
from flask_queue.testing import Fake, drain, run_once, travel


class SendWelcomeEmail(Job):
    name = "emails.welcome"
    queue_name = "emails"
    max_retries = 5
    backoff = [1, 10, 60.5]  # noqa: RUF012
    timeout_s = 30
    priority = 10
    retry_on = (ConnectionError, TimeoutError)
    fail_on = KeyError

    def handle(self, user_id: int, *, plan: str = "free", tags: list[str] | None = None) -> None:
        self.log(f"{self.job_id}, attempt {self.attempt}: to user {user_id} with {plan} {tags}")
        if self.attempt > 2:
            raise Fail("no such user")
        if self.cancelled:
            raise Release(delay_s=5)
        raise Retry(delay_s=1.5)


class ImportContacts(Job):
    backoff = Backoff.exponential(1, 60)

    async def handle(self, path: str, skip: int = 0) -> dict[str, int]:
        self.progress(1, total=3)
        self.progress(0.5)
        return {"imported": skip, "attempts": self.record.attempts}

    async def on_completed(self, result: dict[str, int]) -> None:
        self.log(f"{result['imported']} are there")

    def on_failed(self, error: Exception) -> None:
        self.log(f"{self.job_id} failed: {error}")


class SyncAccount(Job):
    unique_for_s = 3600
    max_age_s = 0.5

    @staticmethod
    def unique_by(account_id: int, **rest: Any) -> str:
        return f"{account_id}{len(rest)}"

    @staticmethod
    def tags(account_id: int, *, full: bool) -> list[str]:
        return [f"account:{account_id}", *(["full"] if full else [])]

    def handle(self, account_id: int, *, full: bool = False) -> None: ...


class SyncContacts(Job):
    @staticmethod
    def unique_by(**payload: Any) -> str:
        return str(payload["account_id"])

    @staticmethod
    def tags(**payload: Any) -> tuple[str, ...]:
        return (str(payload["account_id"]),)

    def handle(self, account_id: int) -> None: ...


class SyncAll(Job):
    unique_for_s = None
    max_age_s = 60

    @staticmethod
    def unique_by(*, account_id: int, full: bool) -> str:
        return f"{account_id}{full}"

    def handle(self, account_id: int, *, full: bool = False) -> None: ...


class Base(Job):
    """What several jobs share; it has no handle and is not registered."""

    queue_name = "emails"
    max_retries = None


class Nothing(Base):
    def handle(self) -> None:
        Nothing.options(delay_s=60).dispatch()


queue = FlaskQueue(
    queues=[Queue("default"), Queue("emails", concurrency=2, rate_limit=RateLimit(100, per_s=60), max_running=4)],
    jobs=[SendWelcomeEmail, ImportContacts],
)
queue.register(Nothing)


@queue.register
class Decorated(Job):
    def handle(self, when: str) -> None: ...


def create_app() -> Flask:
    app = Flask(__name__)
    queue.init_app(app)
    return app


def dispatch_everything() -> None:
    assert_type(SendWelcomeEmail.dispatch(user_id=7), JobRecord)
    assert_type(SendWelcomeEmail.dispatch(7, plan="pro", tags=["new"]), JobRecord)
    assert_type(ImportContacts.dispatch("contacts.csv", 3), JobRecord)
    Nothing.dispatch()
    Decorated.dispatch(when="now")

    record = SendWelcomeEmail.options(delay_s=60, priority=10, queue_name="default").dispatch(user_id=7)
    assert_type(record, JobRecord)
    record = ImportContacts.options(at=datetime.now(UTC), max_retries=0, timeout_s=1.5, job_id="a").dispatch(path="x")
    print(record.id, record.state, record.created_at)
    SyncAccount.options(unique_for_s=60, unique_key="7").dispatch(7, full=SyncAccount.dispatch(7).deduplicated)
    assert_type(SyncAll.unique_by(account_id=7, full=True), str)
    urgent = SendWelcomeEmail.options(priority=100)
    urgent.dispatch(1)

    payloads: list[dict[str, Any]] = [{"user_id": 1}, {"user_id": 2}]
    assert_type(SendWelcomeEmail.dispatch_many(payloads), list[JobRecord])
    SendWelcomeEmail.dispatch_many(({"user_id": number} for number in range(3)), job_ids=["a", "b", "c"])
    assert_type(urgent.dispatch_many([{"user_id": 1}]), list[JobRecord])


def bridges() -> None:
    signed_up = signal("signed-up")
    bridge = queue.on(signed_up, SendWelcomeEmail, map=welcome)
    bridge.disconnect()
    job_failed.connect(alert, sender=Flask(__name__))


def welcome(sender: object, *, user_id: int) -> dict[str, int] | None:
    return {"user_id": user_id} if user_id else None


def alert(app: Flask, record: JobRecord) -> None:
    app.logger.error(record.id)


def tests_of_it(queue_fake: Fake) -> None:
    with queue.fake() as fake:
        SendWelcomeEmail.dispatch(user_id=7)
    assert_type(fake, Fake)
    fake.assert_dispatched(SendWelcomeEmail, {"user_id": 7}, times=1, queue="emails", where=lambda record: True)
    fake.assert_not_dispatched(ImportContacts)
    fake.assert_nothing_dispatched()
    assert_type(queue_fake.dispatched(SendWelcomeEmail), list[JobRecord])
    with queue.inline() as inline:
        assert_type(inline.logs(SendWelcomeEmail.dispatch(user_id=7).id), list[str])
    assert_type(drain(["emails"]), int)
    assert_type(run_once(), int)
    travel(60.5)


# Dispatch can be passed on with its types.
send: Callable[[int], JobRecord] = SendWelcomeEmail.dispatch
