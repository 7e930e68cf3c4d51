"""Bulk actions: on what was selected, and on all that match, step by step."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue import Job, JobState, Queue
from flask_queue.bulk import MOST, Bulk
from flask_queue.monitor import Monitor
from flask_queue.query import Query
from flask_queue.record import Count
from flask_queue.store import queries
from tests.operations.claims import claim
from tests.store.checks import check_all
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask_queue import FlaskQueue
    from flask_queue.bulk import BulkStep
    from flask_queue.store.actions import Action
    from tests.worker.conftest import Bench, MakeBench

QUEUES = [Queue("default", concurrency=4), Queue("emails", concurrency=1)]


class Flaky(Job):
    """Fails as long as it is told to."""

    max_retries = 0
    fails = threading.Event()

    def handle(self, number: int = 0) -> None:
        if self.fails.is_set():
            raise ValueError("again")


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """An app with this job, which fails."""
    Flaky.fails.set()
    return make_bench(Flaky, queues=QUEUES)


@pytest.fixture
def queue(bench: Bench) -> FlaskQueue:
    """Its extension."""
    return bench.queue


@pytest.fixture
def bulk(bench: Bench) -> Iterator[Bulk]:
    """Bulk actions; afterwards every job is in exactly one state."""
    yield Bulk(bench.broker, actor="olga")
    check_all(bench.broker.store.client, "flask-queue")


@pytest.fixture
def ask(bench: Bench) -> Any:
    """Makes queries."""
    return Monitor(bench.broker).query


def fail(bench: Bench, count: int) -> list[str]:
    """Let jobs fail; returns their ids."""
    records = Flaky.dispatch_many([{"number": number} for number in range(count)])
    bench.run_all()
    return [record.id for record in records]


def steps(bulk: Bulk, action: Action, query: Query) -> Iterator[BulkStep]:
    """All steps of an action."""
    cursor = None
    while True:
        step = bulk.step(action, query, cursor)
        yield step
        if (cursor := step.next_cursor) is None:
            return


def states(queue: FlaskQueue, name: str = "default") -> dict[str, int]:
    """The states in which a queue has jobs."""
    return {state: count for state, count in queue.counts()[name].items() if count}


def test_all_that_match_are_retried(bench: Bench, queue: FlaskQueue, bulk: Bulk, ask: Any) -> None:
    """In steps of a thousand at most, each in the audit trail with what was asked for."""
    fail(bench, 2500)
    query = ask(state="failed", search="name:Flaky error:again")
    assert bulk.count("retry", query).number > 0
    done = list(steps(bulk, "retry", query))
    assert sum(step.done for step in done) == 2500
    assert all(step.done <= MOST for step in done)
    assert (done[-1].scanned, done[-1].total) == (2500, 2500)
    assert [step.scanned for step in done] == sorted(step.scanned for step in done)
    assert states(queue) == {"waiting": 2500}
    entries = queue.audit(limit=100).entries
    assert [entry.details["count"] for entry in reversed(entries)] == [step.done for step in done if step.done]
    assert (entries[0].action, entries[0].target, entries[0].actor) == ("retry", "*", "olga")
    assert {"names": ["Flaky"], "errors": ["again"], "states": ["failed"]}.items() <= dict(entries[0].details).items()


def test_what_failed_first_runs_first(bench: Bench, queue: FlaskQueue, bulk: Bulk) -> None:
    """As with single retries."""
    fail(bench, 300)
    failed = [record.id for record in queue.jobs(state="failed", limit=300).records]
    assert sum(step.done for step in steps(bulk, "retry", Query())) == 300
    assert [record.id for record in queue.jobs(state="waiting", limit=300).records] == failed[::-1]


def test_jobs_that_fail_again_are_not_retried_twice(bench: Bench, queue: FlaskQueue, bulk: Bulk) -> None:
    """Workers fail them as fast as they are retried; it ends all the same."""
    fail(bench, 1500)
    with bench.working():
        done = list(steps(bulk, "retry", Query(states=(JobState.FAILED,))))
        assert sum(step.done for step in done) == 1500
        wait_until(lambda: states(queue) == {"failed": 1500}, 30)
    histories = [len(record.history) for record in queue.jobs(state="failed", limit=1500).records]
    assert set(histories) == {2}


def test_a_step_can_be_made_again(bench: Bench, queue: FlaskQueue, bulk: Bulk) -> None:
    """When its answer was lost: what was done is not done twice, and nothing is left out."""
    fail(bench, 1500)
    query = Query(states=(JobState.FAILED,))
    first = bulk.step("retry", query)
    again = bulk.step("retry", query, first.next_cursor)
    assert bulk.step("retry", query, first.next_cursor).done == 0
    assert first.done + again.done == 1500


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("cancel", {"waiting": 300, "delayed": 300}, {"cancelled": 600}),
        ("promote", {"waiting": 300, "delayed": 300}, {"waiting": 600}),
        ("delete", {"waiting": 300, "delayed": 300}, {}),
    ],
)
def test_unfinished_jobs(
    queue: FlaskQueue, bulk: Bulk, action: Action, before: dict[str, int], after: dict[str, int]
) -> None:
    """Those in a state from which the action leads on; other queues only where they are asked for."""
    Flaky.dispatch_many([{"number": number} for number in range(300)])
    Flaky.options(delay_s=600).dispatch_many([{"number": number} for number in range(300)])
    Flaky.options(queue_name="emails", delay_s=600).dispatch()
    assert states(queue) == before
    query = Query(queues=("default",))
    count = bulk.count(action, query)
    assert count == Count(300 if action == "promote" else 600)
    assert sum(step.done for step in steps(bulk, action, query)) == count.number
    assert states(queue) == after
    assert states(queue, "emails") == {"delayed": 1}


def test_active_jobs_are_asked_to_stop(bench: Bench, queue: FlaskQueue, bulk: Bulk) -> None:
    """As by a single cancel, and never deleted."""
    Flaky.dispatch()
    claim(bench)
    [step] = steps(bulk, "delete", Query())
    assert (step.done, step.refused) == (0, 0)
    [step] = steps(bulk, "cancel", Query())
    assert (step.done, step.refused) == (1, 0)
    assert states(queue) == {"active": 1}


def test_what_comes_later_is_left_alone(bench: Bench, queue: FlaskQueue, bulk: Bulk, ask: Any) -> None:
    """A bulk action is for what was there when it began, and ends while more jobs are dispatched than it deletes."""
    Flaky.dispatch_many([{"number": 1} for _ in range(1500)])
    query = ask(search="args.number:1")
    first = bulk.step("delete", query)
    wait_until(lambda: Monitor(bench.broker).workers() == [])
    Flaky.dispatch_many([{"number": 1} for _ in range(1200)])
    total, cursor = first.done, first.next_cursor
    while cursor is not None:
        Flaky.dispatch_many([{"number": 1} for _ in range(50)])
        step = bulk.step("delete", query, cursor)
        total, cursor = total + step.done, step.next_cursor
    assert total == 1500


def test_those_selected(bench: Bench, queue: FlaskQueue, bulk: Bulk) -> None:
    """Each is done, or refused with the reason; the audit trail names those that were done."""
    failed = fail(bench, 600)
    waiting = Flaky.options(queue_name="emails").dispatch().id
    wrong = ["default:nope", "nowhere:x", "bare", "default:a b", waiting]
    applied = bulk.apply_to("retry", [*failed, *wrong, *failed[:9]])
    assert sorted(applied.done) == sorted(failed)
    unknown = "there is no such job"
    assert applied.refused == {**dict.fromkeys(wrong[:-1], unknown), waiting: "is waiting"}
    assert bulk.apply_to("delete", failed[:2]).done == failed[:2]
    delete, retry = queue.audit().entries
    assert (retry.action, retry.target, retry.details["count"]) == ("retry", "*", 600)
    assert sorted(retry.details["ids"]) == sorted(failed)
    assert delete.details == {"count": 2, "ids": failed[:2]}
    assert bulk.apply_to("promote", []).done == []
    assert len(queue.audit().entries) == 2


def test_a_job_that_is_kept_back_is_refused(bench: Bench, queue: FlaskQueue, bulk: Bulk) -> None:
    """By both ways, with the reason where one is told."""
    job = Flaky.options(unique_for_s=600, unique_key="k").dispatch(1).id
    bench.run_all()
    Flaky.options(unique_for_s=600, unique_key="k").dispatch(2)
    [step] = steps(bulk, "retry", Query())
    assert (step.done, step.refused, step.next_cursor) == (0, 1, None)
    assert "unique key" in bulk.apply_to("retry", [job]).refused[job]
    assert queue.audit().entries == []


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ({}, Count(15)),
        ({"state": "failed"}, Count(10)),
        ({"state": "failed", "queue": "emails"}, Count(0)),
        ({"queue": "emails"}, Count(2)),
        ({"search": "state:waiting state:delayed"}, Count(5)),
        ({"name": "Flaky", "state": "failed"}, Count(10)),
        ({"name": "Nope"}, Count(0)),
        ({"search": "args.number:3"}, Count(2)),
        ({"error": "again"}, Count(10)),
        ({"tag": "nobody"}, Count(0)),
        ({"search": "id:nope"}, Count(0)),
    ],
    ids=str,
)
def test_counts(bench: Bench, ask: Any, conditions: dict[str, Any], count: Count) -> None:
    """From lists and indexes where they tell, else by looking."""
    fail(bench, 10)
    Flaky.dispatch(3)
    Flaky.dispatch(1000)
    Flaky.options(delay_s=60).dispatch(1000)
    Flaky.options(queue_name="emails", delay_s=60).dispatch_many([{}, {}])
    assert Monitor(bench.broker).count(ask(**conditions)) == count


def test_groups_and_tags_are_counted(bench: Bench, queue: FlaskQueue, ask: Any) -> None:
    """By their indexes, also together with times."""
    fail(bench, 5)
    [group] = queue.failures()
    monitor = Monitor(bench.broker)
    assert monitor.count(ask(error=group.fingerprint)) == Count(5)
    assert monitor.count(ask(error=group.fingerprint, since=group.first_at, until=group.last_at)) == Count(5)
    assert monitor.count(ask(error=group.fingerprint, state="completed")) == Count(0)
    assert monitor.count(ask(state="failed", since=group.last_at)).number >= 1


def test_a_count_that_takes_long_is_a_least_number(bench: Bench, ask: Any) -> None:
    """So many were found until then."""
    Flaky.dispatch_many([{"number": 1} for _ in range(1200)])
    reads = queries.Queries(bench.broker.store, list(bench.broker.queues), bench.broker.max_retries_of)
    count = reads.count(ask(search="args.number:1"), within_s=0)
    assert not count.is_exact
    assert count.number < 1200


def test_wrong_words_change_nothing(queue: FlaskQueue, bulk: Bulk) -> None:
    """A ValueError says which."""
    job = Flaky.dispatch().id
    for action in ("pause", "", None, "RETRY"):
        with pytest.raises(ValueError, match="is no action on many jobs; there are retry, cancel, promote, delete"):
            bulk.step(action, Query())  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="is no action on many jobs"):
            bulk.apply_to(action, [job])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1,001 jobs were selected; give at most 1,000"):
        bulk.apply_to("delete", [f"default:j{number}" for number in range(MOST + 1)])
    with pytest.raises(ValueError, match="cursor"):
        bulk.step("delete", Query(), "nonsense")
    page = queue.jobs(limit=1)
    assert page.next_cursor is None
    assert states(queue) == {"waiting": 1}


def test_a_cursor_belongs_to_an_action(bench: Bench, queue: FlaskQueue, bulk: Bulk) -> None:
    """Nobody deletes with the cursor of a retry."""
    fail(bench, 1200)
    step = bulk.step("retry", Query())
    assert step.next_cursor is not None
    with pytest.raises(ValueError, match="belongs to a listing of other jobs"):
        bulk.step("delete", Query(), step.next_cursor)
