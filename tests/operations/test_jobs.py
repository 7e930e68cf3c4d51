"""Calls on single jobs: what they return, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from flask_queue import FlaskQueue, Job, JobNotFound, JobState, JobStateError, Queue, QueueError
from tests.operations.claims import claim
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Bench, MakeBench

QUEUES = [Queue("default", concurrency=2), Queue("emails", concurrency=1)]
LATER = datetime(2035, 1, 31, 12, 0, tzinfo=UTC)


class Add(Job):
    def handle(self, a: int, b: int = 2) -> int:
        return a + b


class Boom(Job):
    max_retries = 0

    def handle(self) -> None:
        raise ValueError("no such user")


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """An app with these jobs."""
    return make_bench(Add, Boom, queues=QUEUES)


@pytest.fixture
def queue(bench: Bench) -> FlaskQueue:
    """Its extension."""
    return bench.queue


def test_cancel_returns_the_record(queue: FlaskQueue) -> None:
    """Of a job that waits or is delayed, as cancelled; again, the same."""
    for job in (Add.dispatch(1), Add.options(delay_s=60).dispatch(1), Add.options(priority=5).dispatch(1)):
        record = queue.cancel(job.id)
        assert (record.id, record.state, record.finished_at is not None) == (job.id, JobState.CANCELLED, True)
        assert (record.worker, record.started_at, record.wait_ms, record.history) == (None, None, None, ())
        assert queue.cancel(job.id) == record
    assert queue.counts()["default"]["cancelled"] == 3


def test_cancel_asks_an_active_job(bench: Bench, queue: FlaskQueue) -> None:
    """Its record still says active: it ends when its worker sees to it."""
    job = Add.dispatch(1)
    claim(bench)
    assert queue.cancel(job.id).state is JobState.ACTIVE


def test_promote_and_reschedule_return_the_record(queue: FlaskQueue) -> None:
    """With its new state, or its new time."""
    job = Add.options(delay_s=60).dispatch(1)
    record = queue.reschedule(job.id, LATER)
    assert (record.state, record.scheduled_at) == (JobState.DELAYED, LATER)
    there = LATER.astimezone() + timedelta(hours=1)
    assert queue.reschedule(job.id, there).scheduled_at == there
    record = queue.promote(job.id)
    assert record.state is JobState.WAITING
    assert record.scheduled_at is not None
    assert abs(record.scheduled_at - datetime.now(UTC)) < timedelta(seconds=20)


def test_a_promoted_job_runs_now(bench: Bench, queue: FlaskQueue) -> None:
    """A worker that waits is woken, and the time that the job was not due is no time of waiting."""
    job = Add.options(delay_s=3600).dispatch(1)
    with bench.working():
        wait_until(lambda: queue.counts()["default"]["delayed"] == 1)
        queue.promote(job.id)
        record = bench.finished(job.id, timeout=3)
    assert record.result == 3
    assert record.wait_ms is not None
    assert record.wait_ms < 3000


def test_a_rescheduled_job_runs_at_its_time(bench: Bench, queue: FlaskQueue) -> None:
    """A worker that has set its timer for later is woken."""
    job = Add.options(delay_s=3600).dispatch(1)
    with bench.working():
        at = datetime.now(UTC) + timedelta(seconds=0.7)
        queue.reschedule(job.id, at)
        record = bench.finished(job.id, timeout=5)
    assert record.started_at is not None
    assert timedelta(milliseconds=-1) <= record.started_at - at < timedelta(seconds=1)


@pytest.mark.parametrize("at", [LATER.replace(tzinfo=None), "2035-01-31", None, 5, LATER.date()])
def test_a_time_without_a_zone_is_refused(queue: FlaskQueue, at: object) -> None:
    """Before anything is changed."""
    job = Add.options(delay_s=60).dispatch(1)
    with pytest.raises(ValueError, match="with a time zone"):
        queue.reschedule(job.id, at)  # type: ignore[arg-type]
    assert queue.get(job.id).scheduled_at == job.scheduled_at


def test_the_distant_past_is_due(bench: Bench, queue: FlaskQueue) -> None:
    """Whatever a datetime can name can be given."""
    for at in (datetime.min.replace(tzinfo=UTC) + timedelta(days=1), datetime(1969, 1, 1, tzinfo=UTC)):
        job = Add.options(delay_s=60).dispatch(1)
        queue.reschedule(job.id, at)
        bench.run_all()
        assert queue.get(job.id).state is JobState.COMPLETED


def test_delete_leaves_nothing(bench: Bench, queue: FlaskQueue) -> None:
    """In any state but active; a second one finds nothing."""
    boom, done = Boom.dispatch(), Add.dispatch(1)
    bench.run_all()
    jobs = [boom, done, Add.dispatch(1), Add.options(delay_s=60).dispatch(1), queue.cancel(Add.dispatch(1).id)]
    for job in jobs:
        queue.delete(job.id)
        for again in (queue.get, queue.delete, queue.cancel, queue.logs):
            with pytest.raises(JobNotFound):
                again(job.id)
    assert sum(queue.counts()["default"].values()) == 0


def test_an_active_job_is_not_deleted(bench: Bench, queue: FlaskQueue) -> None:
    """The error says what could be, and what it is."""
    job = Add.dispatch(1)
    claim(bench)
    with pytest.raises(JobStateError) as caught:
        queue.delete(job.id)
    assert (caught.value.job_id, caught.value.actual) == (job.id, "active")
    assert caught.value.expected == ("waiting", "delayed", "completed", "failed", "cancelled")


def test_a_deleted_id_is_remembered(queue: FlaskQueue) -> None:
    """A late repeat of its dispatch stores nothing, and is told that the job will not run."""
    first = Add.options(job_id="import-7").dispatch(1)
    queue.delete(first.id)
    again = Add.options(job_id="import-7").dispatch(1)
    assert (again.deduplicated, again.state, again.id) == (True, JobState.CANCELLED, first.id)
    assert queue.counts()["default"]["waiting"] == 0


ACTIONS: dict[str, Callable[[FlaskQueue, str], object]] = {
    "cancel": lambda queue, job_id: queue.cancel(job_id),
    "promote": lambda queue, job_id: queue.promote(job_id),
    "reschedule": lambda queue, job_id: queue.reschedule(job_id, LATER),
    "retry": lambda queue, job_id: queue.retry(job_id),
    "delete": lambda queue, job_id: queue.delete(job_id),
    "duplicate": lambda queue, job_id: queue.duplicate(job_id),
}
each_action = pytest.mark.parametrize("action", ACTIONS)


@each_action
@pytest.mark.parametrize("job_id", ["default:nope", "nope", "nowhere:a", "", ":", "a b", "default:é", "x" * 500])
def test_a_job_that_is_not_there_is_an_error(queue: FlaskQueue, action: str, job_id: str) -> None:
    """Whether or not its id could be one; the error names it."""
    with pytest.raises(JobNotFound) as caught:
        ACTIONS[action](queue, job_id)
    assert caught.value.job_id == job_id


@each_action
def test_a_bare_id_will_do(queue: FlaskQueue, action: str) -> None:
    """Where exactly one queue has it; with two, nothing is done to either."""
    local_id = "mine" if action != "retry" else "failed"
    made = Add.options(job_id=local_id, delay_s=60).dispatch(1)
    if action == "retry":
        queue.cancel(made.id)
    ACTIONS[action](queue, local_id)
    Add.options(job_id="both", delay_s=60).dispatch(1)
    Add.options(job_id="both", delay_s=60, queue_name="emails").dispatch(1)
    with pytest.raises(JobNotFound, match="in several queues"):
        ACTIONS[action](queue, "both")
    assert [queue.get(f"{name}:both").state for name in ("default", "emails")] == [JobState.DELAYED] * 2


@pytest.mark.parametrize(
    ("action", "state", "expected"),
    [
        ("cancel", "completed", ("waiting", "delayed", "active")),
        ("cancel", "failed", ("waiting", "delayed", "active")),
        ("promote", "waiting", ("delayed",)),
        ("promote", "completed", ("delayed",)),
        ("reschedule", "waiting", ("delayed",)),
        ("reschedule", "failed", ("delayed",)),
        ("retry", "waiting", ("failed", "cancelled")),
        ("retry", "completed", ("failed", "cancelled")),
    ],
)
def test_a_job_in_the_wrong_state_is_an_error(
    bench: Bench, queue: FlaskQueue, action: str, state: str, expected: tuple[str, ...]
) -> None:
    """It says which states would do, and changes nothing."""
    job = Boom.dispatch() if state == "failed" else Add.dispatch(1)
    if state != "waiting":
        bench.run_all()
    before = queue.get(job.id)
    with pytest.raises(JobStateError) as caught:
        ACTIONS[action](queue, job.id)
    assert (caught.value.job_id, caught.value.expected, caught.value.actual) == (job.id, expected, state)
    assert queue.get(job.id) == before


@each_action
def test_nothing_is_done_outside_of_an_app(action: str) -> None:
    """The error says what to do."""
    with pytest.raises(QueueError, match="app context"):
        ACTIONS[action](FlaskQueue(), "default:a")
