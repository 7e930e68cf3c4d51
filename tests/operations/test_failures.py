"""Failed jobs, group by group: as the extension shows and retries them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from flask_queue import Job, Queue, UnknownQueue
from tests.support import wait_until

if TYPE_CHECKING:
    from flask_queue import FailureGroup, FlaskQueue
    from tests.worker.conftest import Bench, MakeBench

QUEUES = [Queue("default", concurrency=2), Queue("emails", concurrency=1)]
HERE = "tests/operations/test_failures.py"


class Boom(Job):
    max_retries = 0

    def handle(self, kind: str = "value") -> None:
        if kind == "deep":
            look_up("nobody")
        raise {"value": ValueError, "key": KeyError}[kind](f"no {kind}")


class Other(Boom):
    queue_name = "emails"


class Turns(Job):
    """Fails with another error each time."""

    max_retries = 0
    errors = iter([ValueError("first"), KeyError("second")])

    def handle(self) -> None:
        raise next(self.errors)


class Again(Job):
    """Fails until it is told not to."""

    max_retries = 0
    is_mended = threading.Event()

    def handle(self, number: int) -> None:
        if not self.is_mended.is_set():
            raise ValueError(f"again {number}")


def look_up(user: str) -> None:
    """Something that jobs call."""
    raise LookupError(user)


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """An app with these jobs."""
    Again.is_mended.clear()
    return make_bench(Boom, Other, Turns, Again, queues=QUEUES)


@pytest.fixture
def queue(bench: Bench) -> FlaskQueue:
    """Its extension."""
    return bench.queue


def shown(queue: FlaskQueue, name: str | None = None) -> list[tuple[int, str, str]]:
    """Count, type and place of each group."""
    return [(group.count, group.type, group.place) for group in queue.failures(name)]


def of_type(queue: FlaskQueue, name: str) -> FailureGroup:
    """The group of this type."""
    [found] = [group for group in queue.failures() if group.type == name]
    return found


def test_jobs_are_grouped_by_what_raised_and_where(bench: Bench, queue: FlaskQueue) -> None:
    """Over queues and classes, the largest group first, and of one queue alone."""
    Boom.dispatch_many([{}, {}, {"kind": "key"}, {"kind": "deep"}])
    Other.dispatch_many([{}, {"kind": "deep"}])
    bench.run_all()
    assert shown(queue)[0] == (3, "ValueError", f"{HERE}:Boom.handle")
    assert sorted(shown(queue)[1:]) == [(1, "KeyError", f"{HERE}:Boom.handle"), (2, "LookupError", f"{HERE}:look_up")]
    group = of_type(queue, "ValueError")
    assert (group.message, group.queues, set(group.names)) == (
        "no value",
        {"default": 2, "emails": 1},
        {"Boom", "Other"},
    )
    both = [(1, "LookupError", f"{HERE}:look_up"), (1, "ValueError", f"{HERE}:Boom.handle")]
    assert sorted(shown(queue, "emails")) == both
    with pytest.raises(UnknownQueue):
        queue.failures("nope")


def test_an_attempt_says_where_its_error_came_from(bench: Bench, queue: FlaskQueue) -> None:
    """Also where it was retried."""
    job = Boom.options(max_retries=1).dispatch("deep")
    bench.run_all()
    record = queue.get(job.id)
    assert [attempt.error and attempt.error.place for attempt in record.history] == [f"{HERE}:look_up"] * 2
    assert record.result is None


def test_a_group_is_retried_by_its_fingerprint(bench: Bench, queue: FlaskQueue) -> None:
    """In all queues or in one, for one class or all; others stay."""
    Boom.dispatch_many([{}, {}, {"kind": "key"}])
    Other.dispatch_many([{}, {}])
    bench.run_all()
    group = of_type(queue, "ValueError")
    assert queue.retry_all(error=group.fingerprint, name="Nobody") == 0
    assert queue.retry_all(error=group.fingerprint, queue="emails") == 2
    assert queue.retry_all(error=group.fingerprint, name="Boom") == 2
    assert shown(queue) == [(1, "KeyError", f"{HERE}:Boom.handle")]
    assert queue.audit().entries[0].details == {"count": 2, "name": "Boom", "error": group.fingerprint}


def test_by_name_only_failed_jobs_are_retried(bench: Bench, queue: FlaskQueue) -> None:
    """The index of names lists cancelled ones, too."""
    Boom.dispatch_many([{}, {"kind": "key"}])
    bench.run_all()
    cancelled = Boom.options(delay_s=60).dispatch()
    queue.cancel(cancelled.id)
    assert queue.retry_all(name="Boom") == 2
    assert queue.get(cancelled.id).state == "cancelled"


def test_a_job_moves_to_the_group_of_its_last_error(bench: Bench, queue: FlaskQueue) -> None:
    """Failed, retried, failed otherwise: it is in one group at a time."""
    job = Turns.dispatch()
    bench.run_all()
    assert [group.type for group in queue.failures()] == ["ValueError"]
    queue.retry(job.id)
    assert queue.failures() == []
    bench.run_all()
    assert [(group.type, group.message) for group in queue.failures()] == [("KeyError", "'second'")]


def test_a_group_is_retried_once_while_its_jobs_fail_again(bench: Bench, queue: FlaskQueue) -> None:
    """Only what failed before the call is retried, however fast it fails once more."""
    Again.dispatch_many([{"number": number} for number in range(600)])
    bench.run_all()
    [group] = queue.failures()
    with bench.working():
        assert queue.retry_all(error=group.fingerprint) == 600
        wait_until(lambda: [each.count for each in queue.failures()] == [600], 30)
    [after] = queue.failures()
    assert (after.fingerprint, after.count) == (group.fingerprint, 600)
    assert {len(record.history) for record in queue.jobs(state="failed", limit=600).records} == {2}
    Again.is_mended.set()
    queue.retry_all(error=group.fingerprint)
    bench.run_all()
    assert queue.failures() == []
