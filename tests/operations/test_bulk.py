"""Calls on many jobs, and on whole queues."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue import Job, JobState, Queue, UnknownQueue
from flask_queue.store.state import StateRecord
from tests.store.checks import Client, check_all
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask_queue import FlaskQueue
    from tests.worker.conftest import Bench, MakeBench

QUEUES = [Queue("default", concurrency=2), Queue("emails", concurrency=1)]
DAY_S = 86_400


class Fine(Job):
    def handle(self, number: int = 0) -> None:
        pass


class Boom(Job):
    max_retries = 0

    def handle(self, kind: str = "value") -> None:
        raise {"value": ValueError, "key": KeyError}[kind](f"no {kind}")


class Tagged(Job):
    max_retries = 0

    @staticmethod
    def tags(account: int, **_: Any) -> list[str]:
        return [f"account:{account}", "all"]

    def handle(self, account: int, fails: bool = True) -> None:
        if fails:
            raise ValueError(account)


class Flaky(Job):
    """Fails as long as it is told to."""

    max_retries = 0
    fails = threading.Event()

    def handle(self, number: int = 0) -> None:
        if self.fails.is_set():
            raise ValueError("again")


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """An app with these jobs."""
    Flaky.fails.clear()
    return make_bench(Fine, Boom, Flaky, Tagged, queues=QUEUES)


@pytest.fixture
def queue(bench: Bench) -> FlaskQueue:
    """Its extension."""
    return bench.queue


def states(queue: FlaskQueue, name: str = "default") -> dict[str, int]:
    """The states in which a queue has jobs."""
    return {state: count for state, count in queue.counts()[name].items() if count}


def test_retry_all_takes_what_matches(bench: Bench, queue: FlaskQueue) -> None:
    """By queue, name, type of the error, or type and message; cancelled jobs stay."""
    Boom.dispatch()
    Boom.dispatch("key")
    Boom.options(queue_name="emails").dispatch()
    Flaky.fails.set()
    Flaky.dispatch()
    bench.run_all()
    queue.cancel(Fine.dispatch().id)
    filters: list[tuple[dict[str, Any], int]] = [
        ({"name": "Fine"}, 0),
        ({"error": "ValueErro"}, 0),
        ({"error": "KeyError: no"}, 0),
        ({"error": "KeyError: 'no key'"}, 1),
        ({"queue": "emails", "error": "ValueError", "name": "Boom"}, 1),
        ({"name": "Flaky", "error": "ValueError"}, 1),
        ({"queue": "default"}, 1),
        ({}, 0),
    ]
    assert [queue.retry_all(**which) for which, _ in filters] == [count for _, count in filters]
    assert (states(queue), states(queue, "emails")) == ({"waiting": 3, "cancelled": 1}, {"waiting": 1})


def test_retry_all_keeps_the_order_of_failures(bench: Bench, queue: FlaskQueue) -> None:
    """What failed first runs first."""
    Flaky.fails.set()
    jobs = Flaky.dispatch_many([{"number": number} for number in range(300)])
    bench.run_all()
    failed = [record.id for record in queue.jobs(state="failed", limit=300).records]
    assert queue.retry_all() == len(jobs)
    waiting = [record.id for record in queue.jobs(state="waiting", limit=300).records]
    assert waiting == failed[::-1]


def test_retry_all_ends_while_jobs_fail_again(bench: Bench, queue: FlaskQueue) -> None:
    """Each job that failed before is put back once, however fast it fails once more."""
    Flaky.fails.set()
    Flaky.dispatch_many([{"number": number} for number in range(600)])
    bench.run_all()
    with bench.working():
        assert queue.retry_all() == 600
        wait_until(lambda: states(queue) == {"failed": 600}, 30)
    assert {len(record.history) for record in queue.jobs(state="failed", limit=600).records} == {2}


def test_retry_all_takes_a_tag(bench: Bench, queue: FlaskQueue) -> None:
    """Alone or with a name or an error; jobs of other states stay, whether many have failed or few."""
    ids = [job.id for job in Tagged.dispatch_many([{"account": 7}, {"account": 8}, {"account": 7, "fails": False}])]
    Boom.dispatch()
    bench.run_all()
    waiting = Tagged.dispatch(7).id
    queue.cancel(waiting)
    assert queue.retry_all(tag="account:9") == 0
    assert queue.retry_all(tag="account:7", name="Boom") == 0
    assert queue.retry_all(tag="account:7", error="KeyError") == 0
    assert queue.retry_all(tag="account:7") == 1
    assert [queue.get(job).state for job in (*ids, waiting)] == ["waiting", "failed", "completed", "cancelled"]
    assert queue.retry_all(tag="account:8", name="Tagged", error="ValueError: 8") == 1
    assert queue.audit().entries[0].details["tag"] == "account:8"
    assert queue.get(ids[1]).tags == ("account:8", "all")
    assert queue.duplicate(ids[1], account=9).tags == ("account:9", "all")


def make_all_states(bench: Bench, queue: FlaskQueue) -> None:
    """Two jobs in each state but active."""
    for _ in range(2):
        Fine.dispatch()
        Boom.dispatch()
    bench.run_all()
    for _ in range(2):
        Fine.options(delay_s=DAY_S).dispatch()
        queue.cancel(Fine.options(delay_s=DAY_S).dispatch().id)
    Fine.dispatch()
    Fine.options(priority=-4).dispatch()


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.ACTIVE])
def test_clean_empties_one_state(bench: Bench, queue: FlaskQueue, state: JobState) -> None:
    """And leaves the others, and other queues."""
    make_all_states(bench, queue)
    Fine.options(queue_name="emails").dispatch()
    before = states(queue)
    assert set(before.values()) == {2}
    assert queue.clean("default", state=state) == 2
    assert states(queue) == {name: count for name, count in before.items() if name != state}
    assert queue.clean("default", state=str(state)) == 0
    assert states(queue, "emails") == {"waiting": 1}
    check_all(bench.broker.store.client, "flask-queue")


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.ACTIVE])
def test_clean_spares_the_young(bench: Bench, queue: FlaskQueue, state: JobState) -> None:
    """The age of a finished job counts from its end, of others from their dispatch."""
    make_all_states(bench, queue)
    assert queue.clean("default", state=state, older_than_s=60) == 0
    keys = bench.broker.store.transitions.keys("default")
    client: Client = bench.broker.store.client
    [job, _] = queue.jobs(state=state).records
    local_id = job.id.partition(":")[2]
    record = StateRecord.parse(client.hget(keys["state"], local_id))
    finished_ms = max(0, record.finished_ms - 61_000)
    older = record._replace(created_ms=record.created_ms - 61_000, finished_ms=finished_ms)
    client.hset(keys["state"], local_id, " ".join(map(str, older)))
    if finished_ms:
        client.zadd(keys[state.value], {local_id: finished_ms})
    assert queue.clean("default", state=state, older_than_s=60) == 1
    assert job.id not in [record.id for record in queue.jobs(state=state).records]


@pytest.mark.parametrize("state", ["waiting", "delayed", "failed"])
def test_clean_has_a_limit(bench: Bench, queue: FlaskQueue, state: str) -> None:
    """So many go, also across steps; finished ones in the order in which they finished."""
    options = Boom.options(delay_s=DAY_S if state == "delayed" else 0)
    jobs = options.dispatch_many([{} for _ in range(600)])
    if state == "failed":
        bench.run_all()
        failed = [record.id for record in queue.jobs(state="failed", limit=600).records]
    assert queue.clean("default", state=state, limit=1) == 1
    assert queue.clean("default", state=state, limit=400) == 400
    left = [record.id for record in queue.jobs(state=state, limit=600).records]
    assert len(left) == len(jobs) - 401
    if state == "failed":
        assert left == failed[:199]
    assert queue.clean("default", state=state, limit=10_000) == 199


def test_clean_leaves_no_tombstones_at_the_front(bench: Bench, queue: FlaskQueue) -> None:
    """After thousands the queue is as new: the next job runs at once."""
    Fine.dispatch_many([{} for _ in range(3000)])
    assert queue.clean("default", state="waiting") == 3000
    keys = bench.broker.store.transitions.keys("default")
    assert bench.broker.store.client.llen(keys["waiting"]) == 0
    check_all(bench.broker.store.client, "flask-queue")


@pytest.mark.parametrize("state", ["waiting", "completed"])
def test_clean_ends_while_more_jobs_come(bench: Bench, queue: FlaskQueue, state: str) -> None:
    """Dispatches and workers at full speed neither hide jobs from it nor keep it going."""
    over = threading.Event()

    def dispatch() -> None:
        with bench.app.app_context():
            while not over.is_set():
                Fine.dispatch_many([{} for _ in range(50)])

    Fine.dispatch_many([{"number": number} for number in range(2000)])
    if state == "completed":
        bench.run_all()
    thread = threading.Thread(target=dispatch)
    thread.start()
    try:
        with bench.working():
            deleted = queue.clean("default", state=state)
    finally:
        over.set()
        thread.join()
    if state == "completed":
        assert deleted >= 2000
    check_all(bench.broker.store.client, "flask-queue")


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "active"},
        {"state": "broken"},
        {"state": None},
        *({"older_than_s": value} for value in (-1, math.nan, math.inf, "5", True, None, 10**400)),
        *({"limit": value} for value in (0, -5, 1.5, "7", True)),
    ],
    ids=str,
)
def test_wrong_words_clean_nothing(queue: FlaskQueue, wrong: dict[str, Any]) -> None:
    """A ValueError says which, and nothing is deleted by guessing."""
    Fine.dispatch()
    with pytest.raises(ValueError):  # noqa: PT011 - the enumeration's own for states
        queue.clean("default", **{"state": "waiting", **wrong})
    assert states(queue) == {"waiting": 1}


def test_pause_and_resume_are_told(queue: FlaskQueue) -> None:
    """With the reason, as often as they are repeated."""
    assert queue.paused() == {}
    queue.pause("emails")
    queue.pause("default", "mail server moves \udcff")
    assert queue.paused() == {"default": "mail server moves \\udcff", "emails": ""}
    queue.pause("default", "still")
    queue.resume("emails")
    queue.resume("emails")
    assert queue.paused() == {"default": "still"}


def test_the_oldest_wait_is_that_of_the_next_job(queue: FlaskQueue) -> None:
    """None where nothing is to run."""
    assert queue.oldest_wait_ms("default") is None
    Fine.dispatch()
    wait_until(lambda: (queue.oldest_wait_ms("default") or 0) >= 20)


def test_an_unknown_queue_is_an_error(queue: FlaskQueue) -> None:
    """Of every call that takes one; it names those that there are."""
    calls: list[Callable[[], object]] = [
        lambda: queue.pause("nope"),
        lambda: queue.resume("nope"),
        lambda: queue.clean("nope", state="failed"),
        lambda: queue.retry_all("nope"),
        lambda: queue.oldest_wait_ms("nope"),
    ]
    for call in calls:
        with pytest.raises(UnknownQueue, match="default, emails"):
            call()
