"""Dramatiq's own middleware and actor options, on our broker and worker."""

from __future__ import annotations

import threading
import time
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Broker, Middleware, group
from dramatiq.middleware import CurrentMessage, GroupCallbacks, Shutdown
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends.redis import RedisBackend as RedisRates
from dramatiq.results import ResultFailure, Results
from dramatiq.results.backends.redis import RedisBackend as RedisResults

from flask_queue import Job, JobRecord, JobState
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench


class Add(Job):
    """Adds."""

    def handle(self, x: int, y: int) -> int:
        """Return the sum."""
        return x + y


def ended(bench: Bench, message: dramatiq.Message[Any]) -> JobRecord:
    """The record of a message that a worker is running, once it has ended."""
    return bench.finished(f"{message.queue_name}:{message.message_id}")


def outcomes(record: JobRecord) -> list[str]:
    """How its runs ended, the first one first."""
    return [attempt.outcome.value for attempt in record.history]


def make_results(client: redis.Redis) -> Results:
    """Dramatiq's Results, on Redis."""
    return Results(backend=RedisResults(client=client))


def test_results_are_kept_for_the_sender(make_bench: MakeBench, redis_client: redis.Redis) -> None:
    """Also those of jobs, and beside the result in the record."""
    bench = make_bench(Add, middleware=[lambda: make_results(redis_client)])

    @bench.queue.actor(store_results=True)
    def double(x: int) -> int:
        return 2 * x

    with bench.working():
        message = double.send(4)
        assert message.get_result(block=True) == 8
        assert ended(bench, message).result == 8
        by_job = bench.broker.get_actor("Add").send_with_options(kwargs={"x": 1, "y": 2}, store_results=True)
        assert by_job.get_result(block=True) == 3


def test_a_middleware_may_change_what_is_sent(make_bench: MakeBench) -> None:
    """Before it is stored: payload and options."""

    class Doubles(Middleware):
        def before_enqueue(self, broker: Broker, message: dramatiq.Message[Any], delay: int | None) -> None:
            message.kwargs["x"] *= 2

    bench = make_bench(Add, middleware=[Doubles])
    with bench.working():
        assert bench.finished(Add.dispatch(2, 3).id).result == 7


def test_a_failure_is_a_result(make_bench: MakeBench, redis_client: redis.Redis) -> None:
    """It is raised where the result is asked for."""
    bench = make_bench(middleware=[lambda: make_results(redis_client)])

    @bench.queue.actor(store_results=True, max_retries=0)
    def fail() -> None:
        raise ValueError("no such order")

    with bench.working(), pytest.raises(ResultFailure, match="no such order"):
        fail.send().get_result(block=True)


def test_a_group_calls_back_when_all_its_messages_are_done(make_bench: MakeBench, redis_client: redis.Redis) -> None:
    """Once, after the last of them."""
    rates = RedisRates(client=redis_client)
    bench = make_bench(middleware=[lambda: GroupCallbacks(rates)])
    ran: list[str] = []

    @bench.queue.actor()
    def part(number: int) -> None:
        ran.append("part")

    @bench.queue.actor()
    def whole() -> None:
        ran.append("whole")

    messages = [part.message(number) for number in range(5)]
    parts: Any = group(messages, broker=bench.broker)
    parts.add_completion_callback(whole.message())
    with bench.working():
        parts.run()
        wait_until(lambda: "whole" in ran)
    assert ran == ["part"] * 5 + ["whole"]


def test_callbacks_follow_success_and_failure(make_bench: MakeBench) -> None:
    """They are named by handle or by name, and get the message and what came of it."""
    bench = make_bench()
    heard: list[tuple[str, Any]] = []

    @bench.queue.actor()
    def succeeded(message: dict[str, Any], result: Any) -> None:
        heard.append((message["actor_name"], result))

    @bench.queue.actor()
    def failed(message: dict[str, Any], error: dict[str, str]) -> None:
        heard.append((message["actor_name"], error["type"]))

    @bench.queue.actor(on_failure="failed", max_retries=0)
    def divide(x: int, y: int) -> float:
        return x / y

    with bench.working():
        divide.send_with_options(args=(6, 3), on_success=succeeded)
        divide.send(6, 0)
        wait_until(lambda: len(heard) == 2)
    assert set(heard) == {("divide", 2.0), ("divide", "ZeroDivisionError")}


def test_a_worker_reads_the_very_message_that_was_sent(make_bench: MakeBench) -> None:
    """With its id, options and time, which CurrentMessage shows inside a run alone."""
    bench = make_bench()
    seen: list[Any] = []

    @bench.queue.actor()
    def look(*numbers: int, **names: int) -> None:
        seen.append(CurrentMessage.get_current_message()._message)  # type: ignore[union-attr]

    message = look.message_with_options(args=(1, 2), kwargs={"three": 3}, max_age=60_000)
    message = message.copy(message_timestamp=message.message_timestamp - 500)
    bench.broker.enqueue(message)
    with bench.working():
        ended(bench, message)
    assert seen == [message]
    assert CurrentMessage.get_current_message() is None


def test_a_message_over_its_age_limit_ends_failed(make_bench: MakeBench) -> None:
    """It is not run, and its record says why: what is skipped is never dropped."""
    bench = make_bench()
    ran = []

    @bench.queue.actor(max_age=1)
    def late() -> None:
        ran.append(1)

    message = late.send()
    sent_s = time.time()
    wait_until(lambda: time.time() > sent_s + 0.01)
    with bench.working():
        record = ended(bench, message)
    assert record.state is JobState.FAILED
    assert record.error is not None
    assert "age limit" in record.error.message
    assert not ran


def test_retries_follow_dramatiqs_options(make_bench: MakeBench) -> None:
    """A plain actor says them; the record tells all its runs."""
    bench = make_bench()

    @bench.queue.actor(max_retries=2, min_backoff=1, max_backoff=2)
    def fail() -> None:
        raise ValueError("again")

    with bench.working():
        record = ended(bench, fail.send())
    assert (record.state, outcomes(record)) == (JobState.FAILED, ["retried", "retried", "failed"])
    assert (record.attempts, record.max_retries) == (3, 2)


def test_an_actor_without_options_has_dramatiqs_defaults(make_bench: MakeBench) -> None:
    """Its record shows how often it would be retried: not as often as a job of the app."""
    bench = make_bench(Add)

    @bench.queue.actor()
    def plain() -> None:
        pass

    message = plain.send()
    assert bench.queue.get(f"default:{message.message_id}").max_retries == 20
    assert Add.dispatch(x=1, y=2).max_retries == 3


def test_what_an_actor_throws_is_not_retried(make_bench: MakeBench) -> None:
    """Nor what its predicate refuses."""
    bench = make_bench()

    @bench.queue.actor(throws=(KeyError,))
    def throw() -> None:
        raise KeyError("gone")

    @bench.queue.actor(retry_when=lambda retries, error: False)
    def refuse() -> None:
        raise ValueError("no")

    with bench.working():
        for message in (throw.send(), refuse.send()):
            assert outcomes(ended(bench, message)) == ["failed"]


def test_an_actor_that_asks_for_a_retry_gets_it(make_bench: MakeBench) -> None:
    """After the delay that it asked for; and when there are none left, its actor for that is called."""
    bench = make_bench()
    exhausted: list[dict[str, int]] = []

    @bench.queue.actor()
    def give_up(message: dict[str, Any], retries: dict[str, int]) -> None:
        exhausted.append(retries)

    @bench.queue.actor(max_retries=1)
    def ask() -> None:
        raise dramatiq.errors.Retry("not yet", delay=50)

    with bench.working():
        record = ended(bench, ask.send_with_options(on_retry_exhausted=give_up))
        wait_until(lambda: exhausted)
    assert outcomes(record) == ["retried", "failed"]
    first, second = record.history
    assert (second.started_at - first.finished_at).total_seconds() >= 0.045
    assert exhausted == [{"retries": 1, "max_retries": 1}]


def test_a_rate_limiter_sends_a_message_back(make_bench: MakeBench, redis_client: redis.Redis) -> None:
    """RateLimitExceeded is a retry like any other, and nothing is lost."""
    bench = make_bench()
    rates = RedisRates(client=redis_client)
    limiter = ConcurrentRateLimiter(rates, "alone", limit=1)
    running: list[int] = []

    @bench.queue.actor(min_backoff=20, max_backoff=40, max_retries=1000)
    def alone() -> None:
        with limiter.acquire():
            running.append(1)
            threading.Event().wait(0.05)
            assert len(running) == 1
            running.clear()

    with bench.working():
        records = [ended(bench, message) for message in [alone.send() for _ in range(4)]]
    assert [record.state for record in records] == [JobState.COMPLETED] * 4
    assert sum(record.attempts for record in records) > 4


def test_a_shutdown_notifies_the_actors_that_want_to_know(make_bench: MakeBench) -> None:
    """They can end in order, long before they would be interrupted."""
    bench = make_bench()
    has_started = threading.Event()

    @bench.queue.actor(notify_shutdown=True)
    def work() -> str:
        has_started.set()
        try:
            for _ in range(3000):
                threading.Event().wait(0.01)
        except Shutdown:
            return "saved"
        return "done"

    message = work.send()
    with bench.working():
        assert has_started.wait(5)
        stopped_s = time.monotonic()
    assert time.monotonic() - stopped_s < 5
    assert ended(bench, message).result == "saved"


def test_dramatiqs_decorator_makes_actors_of_our_broker(make_bench: MakeBench) -> None:
    """Coroutine functions, too."""
    bench = make_bench()

    @dramatiq.actor(broker=bench.broker)
    def add(x: int, y: int) -> int:
        return x + y

    @dramatiq.actor(broker=bench.broker)
    async def add_later(x: int, y: int) -> int:
        return x + y

    with bench.working():
        assert ended(bench, add.send(1, 2)).result == 3
        assert ended(bench, add_later.send(1, y=2)).payload == {"args": [1], "kwargs": {"y": 2}}
