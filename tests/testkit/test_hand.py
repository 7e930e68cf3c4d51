"""Running what is due by hand: what runs, how often, and how time passes for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, JobState, Queue, QueueError, QueueUnavailable, RateLimit, UnknownQueue
from flask_queue.testing import drain, run_once, travel

seen: list[Any] = []


class Chains(Job):
    def handle(self, left: int) -> None:
        seen.append(left)
        if left:
            Chains.dispatch(left - 1)


class Mail(Job):
    queue_name = "emails"

    def handle(self) -> None:
        seen.append("mail")


class Flaky(Job):
    max_retries = 2
    backoff = (60, 3600)

    def handle(self) -> int:
        seen.append(self.attempt)
        if self.attempt < 3:
            raise ConnectionError
        return self.attempt


class Stale(Job):
    max_age_s = 60

    def handle(self) -> None:
        seen.append("ran")


class Presses(Job):
    def handle(self) -> None:
        raise KeyboardInterrupt


class Tells(Job):
    def handle(self) -> None:
        seen.append(self.record.priority)


class Limited(Job):
    queue_name = "limited"

    def handle(self) -> None: ...


@pytest.fixture
def queue(redis_url: str) -> Iterator[FlaskQueue]:
    seen.clear()
    limited = Queue("limited", rate_limit=RateLimit(2, per_s=600))
    queue = FlaskQueue(
        queues=[Queue("default"), Queue("emails"), limited], jobs=[Chains, Mail, Flaky, Stale, Presses, Limited]
    )
    app = Flask("shop")
    app.config.update(QUEUE_REDIS_URL=redis_url, QUEUE_DASHBOARD=False)
    queue.init_app(app)
    with app.app_context():
        yield queue
        queue.broker.close()


def test_drain_runs_what_follows_run_once_does_not(queue: FlaskQueue) -> None:
    """Both return how many ran."""
    Chains.dispatch(3)
    Mail.dispatch()
    assert run_once() == 2
    assert seen == [3, "mail"]
    assert run_once() == 1
    assert drain() == 2
    assert (drain(), run_once()) == (0, 0)
    assert seen == [3, "mail", 2, 1, 0]
    assert queue.counts()["default"] == {
        "waiting": 0,
        "delayed": 0,
        "active": 0,
        "completed": 4,
        "failed": 0,
        "cancelled": 0,
    }


def test_only_some_queues(queue: FlaskQueue) -> None:
    """Others are left alone."""
    Chains.dispatch(0)
    Mail.dispatch()
    assert drain(["emails"]) == 1
    assert run_once(("default",)) == 1
    with pytest.raises(UnknownQueue):
        drain(["nowhere"])


def test_the_order_is_that_of_the_queue(queue: FlaskQueue) -> None:
    """Higher priorities first."""
    queue.register(Tells)
    for priority in (0, 5, -5):
        Tells.options(priority=priority).dispatch()
    assert drain() == 3
    # Not by their ends, which may all be in one millisecond.
    assert seen == [5, 0, -5]


def test_time_passes_for_delays(queue: FlaskQueue) -> None:
    """As far as it is told to; for jobs that are there, not for those to come."""
    Mail.options(delay_s=60).dispatch()
    Mail.options(at=datetime.now(UTC) + timedelta(days=1)).dispatch()
    assert drain() == 0
    travel(30)
    assert drain() == 0
    travel(31)
    assert drain() == 1
    Mail.options(delay_s=60).dispatch()
    assert drain() == 0
    travel(86_400)
    assert drain() == 2


def test_time_passes_for_retries(queue: FlaskQueue) -> None:
    """A failed run waits for its back-off."""
    job_id = Flaky.dispatch().id
    assert drain() == 1
    assert queue.get(job_id).state is JobState.DELAYED
    travel(61)
    assert drain() == 1
    travel(61)
    assert drain() == 0
    travel(3600)
    assert drain() == 1
    record = queue.get(job_id)
    assert (record.state, record.result, seen) == (JobState.COMPLETED, 3, [1, 2, 3])


def test_jobs_grow_older(queue: FlaskQueue) -> None:
    """Those that were there: waiting ones by their dispatch, delayed ones by their due time."""
    waiting, delayed = Stale.dispatch(), Stale.options(delay_s=10).dispatch()
    travel(65)
    fresh = Stale.dispatch()
    assert drain() == 3
    assert [queue.get(record.id).state for record in (waiting, delayed, fresh)] == ["failed", "completed", "completed"]
    error = queue.get(waiting.id).error
    assert error is not None
    assert error.type == "JobExpired"


def test_travelling_wants_a_number(queue: FlaskQueue) -> None:
    """Not backwards."""
    wrong: list[Any] = [-1, "60", float("nan")]
    for seconds in wrong:
        with pytest.raises(ValueError, match="seconds"):
            travel(seconds)


def test_ctrl_c_reaches_the_test(queue: FlaskQueue) -> None:
    """Once the job is settled: as by a worker, which would retry it."""
    job_id = Presses.dispatch().id
    with pytest.raises(KeyboardInterrupt):
        drain()
    assert queue.get(job_id).state is JobState.DELAYED


def test_limits_hold(queue: FlaskQueue) -> None:
    """A job that its queue does not let through is not due."""
    Limited.dispatch_many([{}] * 3)
    assert drain() == 2
    assert queue.counts()["limited"]["waiting"] == 1


def test_paused_queues_stay_so(queue: FlaskQueue) -> None:
    """Until they are resumed."""
    Mail.dispatch()
    queue.pause("emails")
    assert drain() == 0
    queue.resume("emails")
    assert drain() == 1


def test_no_worker_is_left(queue: FlaskQueue) -> None:
    """Nothing is to be taken back from a test."""
    Mail.dispatch()
    run_once()
    keys = queue.broker.store.transitions.keys("emails")
    assert queue.broker.store.client.zcard(keys["workers"]) == 0


def test_without_an_app_or_redis() -> None:
    """The error says what to do."""
    with pytest.raises(QueueError, match="app context"):
        drain()
    app = Flask("nowhere")
    app.config.update(QUEUE_REDIS_URL="redis://127.0.0.1:1", QUEUE_DASHBOARD=False)
    FlaskQueue(app)
    with app.app_context():
        for call in (drain, run_once, lambda: travel(1)):
            with pytest.raises(QueueUnavailable):
                call()
