"""Duplicates: jobs that are sent once more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue import InvalidPayload, Job, JobNotFound, JobNotRegistered, JobState, PayloadTooLarge, Queue
from tests.operations.claims import claim

if TYPE_CHECKING:
    from flask_queue import FlaskQueue, JobRecord
    from tests.worker.conftest import Bench, MakeBench

QUEUES = [Queue("default", concurrency=2), Queue("emails", concurrency=1)]


class Add(Job):
    def handle(self, a: int, b: int = 2) -> int:
        return a + b


class Boom(Job):
    max_retries = 0

    def handle(self) -> None:
        raise ValueError("no such user")


class Named(Job):
    """Its parameters have the names of our own."""

    def handle(self, job_id: str, queue: str) -> None:
        pass


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """An app with these jobs."""
    return make_bench(Add, Boom, Named, queues=QUEUES)


@pytest.fixture
def queue(bench: Bench) -> FlaskQueue:
    """Its extension."""
    return bench.queue


def same(record: JobRecord, other: JobRecord) -> bool:
    """Whether one was dispatched like the other."""
    return all(
        getattr(record, name) == getattr(other, name)
        for name in ("name", "queue", "payload", "priority", "max_retries")
    )


def test_a_duplicate_is_a_new_job(bench: Bench, queue: FlaskQueue) -> None:
    """With the queue, priority, options and payload of the first, to run now; the first stays as it is."""
    options = Add.options(queue_name="emails", priority=7, max_retries=9, timeout_s=5, delay_s=3600, job_id="first")
    first = options.dispatch(1, b=5)
    copy = queue.duplicate(first.id)
    assert same(copy, first)
    assert (copy.id != first.id, copy.state, copy.deduplicated) == (True, JobState.WAITING, False)
    assert queue.get(copy.id) == copy
    bench.run_all()
    assert (queue.get(copy.id).result, queue.get(first.id).state) == (6, JobState.DELAYED)


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled", "active"])
def test_any_job_can_be_duplicated(bench: Bench, queue: FlaskQueue, end: str) -> None:
    """Whatever became of it."""
    first = Boom.dispatch()
    if end == "cancelled":
        queue.cancel(first.id)
    elif end == "active":
        claim(bench)
    elif end == "completed":
        queue.cancel(first.id)
        first = Add.dispatch(1)
        bench.run_all()
    else:
        bench.run_all()
    assert queue.get(first.id).state == end
    assert same(queue.duplicate(first.id), first)


def test_a_duplicate_may_differ(queue: FlaskQueue) -> None:
    """Arguments are changed by name, whatever their names are; defaults stay filled in."""
    assert queue.duplicate(Add.dispatch(1).id, a=40).payload == {"a": 40, "b": 2}
    copy = queue.duplicate(Named.dispatch("x", "y").id, job_id="z", queue="q")
    assert copy.payload == {"job_id": "z", "queue": "q"}


def test_changes_are_checked_like_a_dispatch(queue: FlaskQueue) -> None:
    """Surplus arguments and what JSON cannot hold; nothing is stored."""
    job = Add.dispatch(1)
    with pytest.raises(InvalidPayload) as caught:
        queue.duplicate(job.id, c=1)
    assert caught.value.path == "$.c"
    with pytest.raises(InvalidPayload) as caught:
        queue.duplicate(job.id, a={"at": datetime.now(UTC)})
    assert caught.value.path == "$.a.at"
    with pytest.raises(PayloadTooLarge):
        queue.duplicate(job.id, a="x" * 2_000_000)
    assert queue.counts()["default"]["waiting"] == 1


def test_a_plain_actor_is_duplicated_as_it_was(bench: Bench, queue: FlaskQueue) -> None:
    """With its arguments, by position and by name; these cannot be changed, as nobody could check them."""
    calls: list[tuple[int, int]] = []

    @queue.actor()
    def note(a: int, *, b: int) -> None:
        calls.append((a, b))

    message = note.send_with_options(args=(1,), kwargs={"b": 2}, max_age=60_000)
    copy = queue.duplicate(f"default:{message.message_id}")
    assert copy.payload == {"args": [1], "kwargs": {"b": 2}}
    with pytest.raises(InvalidPayload, match="plain actor"):
        queue.duplicate(copy.id, b=3)
    bench.run_all()
    assert calls == [(1, 2), (1, 2)]


def test_a_duplicate_forgets_the_retries_of_the_first(bench: Bench, queue: FlaskQueue) -> None:
    """What Dramatiq's own retries note in a message is no part of the copy, which has all its attempts."""
    runs: list[int] = []

    @queue.actor(max_retries=1, min_backoff=1, max_backoff=2)
    def fails() -> None:
        runs.append(1)
        raise ValueError

    message = fails.send()
    bench.run_all()
    assert queue.get(f"default:{message.message_id}").state is JobState.FAILED
    stored: Any = bench.broker.store.client
    jobs = bench.broker.store.transitions.keys("default")["jobs"]
    assert b"traceback" in stored.hget(jobs, message.message_id)
    copy = queue.duplicate(f"default:{message.message_id}")
    assert stored.hget(jobs, copy.id.partition(":")[2]) == b"fails\n{}"
    bench.run_all()
    assert len(runs) == 4


def test_a_job_that_no_code_knows_is_not_duplicated(make_bench: MakeBench, queue: FlaskQueue, bench: Bench) -> None:
    """It was dispatched by another release."""
    job = Add.dispatch(1)
    other = make_bench(Boom, queues=QUEUES, url=bench.app.config["QUEUE_REDIS_URL"])
    with pytest.raises(JobNotRegistered) as caught:
        other.queue.duplicate(job.id)
    assert caught.value.job == "Add"


def test_a_job_without_payload_is_not_duplicated(bench: Bench, queue: FlaskQueue) -> None:
    """The error says that it is the payload which is gone."""
    job = Add.dispatch(1)
    broker = bench.broker
    broker.store.client.hdel(broker.store.transitions.keys("default")["jobs"], job.id.partition(":")[2])
    with pytest.raises(JobNotFound, match="payload is gone"):
        queue.duplicate(job.id)
