"""How a worker claims, settles, waits and stops."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter

import pytest
from redis import Redis

from flask_queue import FlaskQueue, Job, JobState, Queue
from flask_queue.store.transitions import CycleRequest
from flask_queue.worker import Worker
from tests.servers import RedisServer
from tests.store.checks import check_queue
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench

QUEUES = [Queue("one", concurrency=1), Queue("three", concurrency=3)]


class Census:
    """How many runs of each queue there are at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.all: Counter[str] = Counter()

    def run(self, queue: str, seconds: float) -> None:
        with self._lock:
            self.now[queue] += 1
            self.all[queue] += 1
            self.most[queue] = max(self.most[queue], self.now[queue])
        try:
            time.sleep(seconds)
        finally:
            with self._lock:
                self.now[queue] -= 1


census = Census()
gate = threading.Event()
order: list[int] = []
pickups: list[float] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    census.__init__()  # type: ignore[misc]
    gate.clear()
    order.clear()
    pickups.clear()


class Counted(Job):
    queue_name = "one"

    def handle(self, queue: str, seconds: float = 0.005) -> None:
        census.run(queue, seconds)


class Waits(Job):
    def handle(self, number: int = 0) -> None:
        census.run("waits", 0)
        gate.wait(20)


class Notes(Job):
    def handle(self, number: int) -> None:
        order.append(number)


class Punctual(Job):
    def handle(self, sent: float) -> None:
        pickups.append(time.time() - sent)


def check(bench: Bench, *queues: str) -> None:
    for queue in queues:
        check_queue(bench.broker.store.client, bench.broker.store.transitions.keys(queue))


def test_each_queue_has_its_own_concurrency(make_bench: MakeBench) -> None:
    """Never more than 1 and 3 running, and both are reached, also with jobs short enough to be taken ahead."""
    bench = make_bench(Counted, queues=QUEUES)
    for queue in ("one", "three"):
        Counted.options(queue_name=queue).dispatch_many([{"queue": queue, "seconds": 0.0005}] * 150)
        Counted.options(queue_name=queue).dispatch_many([{"queue": queue, "seconds": 0.02}] * 30)
    bench.run_all()
    assert census.most == {"one": 1, "three": 3}
    assert census.all == {"one": 180, "three": 180}
    check(bench, "one", "three")


def test_one_thread_runs_a_queue_in_order(make_bench: MakeBench) -> None:
    """First in, first out; higher priorities before; also where jobs are taken ahead."""
    bench = make_bench(Notes)
    Notes.dispatch_many([{"number": number} for number in range(100)])
    Notes.options(priority=5).dispatch(-1)
    Notes.options(priority=-5).dispatch(100)
    with bench.working({"default": 1}, is_burst=True) as worker:
        assert worker.join(10)
    assert order == list(range(-1, 101))


def test_active_jobs_are_no_more_than_threads_once_jobs_are_long(make_bench: MakeBench) -> None:
    """What was taken ahead because jobs were short goes back within moments when they turn out long."""
    bench = make_bench(Notes, Waits)
    Notes.dispatch_many([{"number": number} for number in range(200)])
    Waits.dispatch_many([{"number": number} for number in range(50)])
    with bench.working():
        wait_until(lambda: bench.queue.counts()["default"]["active"] == 2 == census.all["waits"])
        assert bench.queue.counts()["default"]["waiting"] == 48
        gate.set()
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == 250)
    check(bench, "default")


def test_an_idle_worker_picks_a_job_up_at_once_and_costs_next_to_nothing(
    make_bench: MakeBench, redis_client: Redis
) -> None:
    """Median pick-up at most 5 ms; at most 2 commands a second from an idle process with 3 queues."""
    bench = make_bench(Punctual, queues=[Queue("default"), Queue("emails"), Queue("images")])
    with bench.working():
        for _ in range(30):
            bench.finished(Punctual.dispatch(time.time()).id)
        before = sent_commands(redis_client)
        time.sleep(6)
        assert (sent_commands(redis_client) - before) / 6 <= 2
    assert statistics.median(pickups) <= 0.005


def sent_commands(client: Redis) -> int:
    """Commands that clients have sent, without those that scripts ran or that this look costs."""
    stats = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "bzpopmin"))


def test_a_stop_finishes_what_runs_and_gives_the_rest_back(make_bench: MakeBench) -> None:
    """Running jobs complete, waiting ones stay waiting, unspent and in order."""
    bench = make_bench(Waits)
    records = Waits.dispatch_many([{"number": number} for number in range(6)])
    with bench.working() as worker:
        wait_until(lambda: census.all["waits"] == 2)
        threading.Timer(0.1, gate.set).start()
        assert worker.stop()
    counts = bench.queue.counts()["default"]
    assert (counts["completed"], counts["waiting"], counts["active"]) == (2, 4, 0)
    rest = bench.queue.jobs(state=JobState.WAITING).records
    assert [record.id for record in rest] == [record.id for record in records[2:]]
    assert {record.attempts for record in rest} == {0}
    check(bench, "default")


class Endless(Job):
    def handle(self) -> None:
        census.run("endless", 0)
        while True:
            time.sleep(0.005)


class Stuck(Job):
    """Sleeps in one call that nothing can interrupt."""

    def handle(self) -> None:
        census.run("stuck", 4)


def test_a_stop_interrupts_what_does_not_end_and_gives_it_back(make_bench: MakeBench) -> None:
    """The run is interrupted in time, spends no attempt, and is first in its queue."""
    bench = make_bench(Endless)
    job_id = Endless.dispatch().id
    with bench.working() as worker:
        wait_until(lambda: census.all["endless"] == 1)
        started = time.monotonic()
        assert worker.stop(2)
        assert time.monotonic() - started < 2
    record = bench.queue.get(job_id)
    assert (record.state, record.attempts, record.recoveries) == ("waiting", 0, 0)
    check(bench, "default")


@pytest.mark.untraced
def test_a_stop_gives_back_even_what_cannot_be_interrupted(make_bench: MakeBench) -> None:
    """A thread inside one long call is left behind: its job waits again, and its late end changes nothing."""
    bench = make_bench(Stuck)
    job_id = Stuck.dispatch().id
    worker = Worker(bench.broker)
    worker.start()
    wait_until(lambda: census.all["stuck"] == 1)
    assert not worker.stop(1.5)
    assert bench.queue.get(job_id).state == "waiting"
    wait_until(lambda: census.now["stuck"] == 0, 10)
    assert bench.queue.get(job_id).state == "waiting"
    check(bench, "default")


def test_a_claim_whose_reply_was_lost_is_found_again(make_bench: MakeBench) -> None:
    """Jobs that Redis gave to this worker without its knowing are run, not left active for ever."""
    bench = make_bench(Notes)
    Notes.dispatch_many([{"number": number} for number in range(5)])
    with bench.working() as worker:
        wait_until(lambda: len(order) == 5)
        worker.pause()
        Notes.dispatch(5)
        store = bench.broker.store
        store.transitions.cycle(
            store.client, worker.id, bench.broker.retention, [CycleRequest("default", want=1, idle=1)]
        )
        worker.resume()
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == 6)
    check(bench, "default")


def test_a_lost_wake_marker_costs_seconds_not_the_job(make_bench: MakeBench, redis_client: Redis) -> None:
    """A job whose marker somebody popped and died with is found by the next look."""
    bench = make_bench(Notes, QUEUE_LEASE_S=3)
    keys = bench.broker.store.transitions.keys("default")
    with bench.working() as worker:
        worker.pause()
        Notes.dispatch(1)
        redis_client.delete(keys["wake"])
        worker.resume()
        wait_until(lambda: order == [1], 6)


def test_a_job_of_a_dead_worker_runs_again_within_the_lease(make_bench: MakeBench) -> None:
    """A worker that falls silent loses its jobs to a living one, and the history tells of it."""
    bench = make_bench(Notes, QUEUE_LEASE_S=1)
    job_id = Notes.dispatch(7).id
    store = bench.broker.store
    store.transitions.cycle(store.client, "dead", bench.broker.retention, [CycleRequest("default", want=1, idle=1)])
    claimed = time.monotonic()
    with bench.working():
        record = bench.finished(job_id)
    assert time.monotonic() - claimed < 3
    assert (record.state, record.recoveries, record.attempts) == ("completed", 1, 1)
    assert [(run.outcome, run.worker == "dead") for run in record.history] == [("lost", True), ("completed", False)]


def test_an_outage_of_redis_loses_nothing(own_server: RedisServer, make_bench: MakeBench) -> None:
    """A worker outlives a restart, keeps the outcome of what ran meanwhile, and goes on within two seconds."""
    bench = make_bench(Waits, Notes, url=own_server.url)
    job_id = Waits.dispatch().id
    with bench.working() as worker:
        wait_until(lambda: census.all["waits"] == 1)
        own_server.stop()
        gate.set()
        wait_until(lambda: census.now["waits"] == 0)
        own_server.start()
        back = time.monotonic()
        assert bench.finished(job_id).attempts == 1
        assert bench.finished(Notes.dispatch(1).id).state == "completed"
        assert time.monotonic() - back < 2
        assert not worker.has_failed
    assert census.all["waits"] == 1


def test_a_worker_starts_before_redis_does(own_server: RedisServer, make_bench: MakeBench) -> None:
    """It keeps trying, and works once Redis is there."""
    bench = make_bench(Notes, url=own_server.url)
    own_server.stop()
    with bench.working():
        own_server.start()
        assert bench.finished(Notes.dispatch(1).id).state == "completed"


def test_stopping_while_redis_is_away_ends_in_time(own_server: RedisServer, make_bench: MakeBench) -> None:
    """What could not be given back comes back when the lease runs out; the worker does not wait for it."""
    bench = make_bench(Waits, url=own_server.url)
    Waits.dispatch()
    with bench.working() as worker:
        wait_until(lambda: census.all["waits"] == 1)
        own_server.stop()
        gate.set()
        started = time.monotonic()
        assert worker.stop(2)
        assert time.monotonic() - started < 3


def test_a_burst_ends_when_all_is_done(make_bench: MakeBench) -> None:
    """Jobs for later do not hold it; jobs that are due do."""
    bench = make_bench(Notes)
    later = Notes.options(delay_s=60).dispatch(1).id
    due = Notes.options(delay_s=0.01).dispatch(2).id
    time.sleep(0.02)
    bench.run_all()
    assert [bench.queue.get(job).state for job in (later, due)] == ["delayed", "completed"]


def test_delayed_jobs_run_on_time(make_bench: MakeBench) -> None:
    """A near job does not wait behind far ones, and an idle worker needs no polling to be punctual."""
    bench = make_bench(Punctual)
    Punctual.options(delay_s=60).dispatch_many([{"sent": 0.0}] * 300)
    with bench.working():
        time.sleep(0.1)
        for delay in itertools.islice(itertools.cycle((0.2, 0.1)), 10):
            Punctual.options(delay_s=delay).dispatch(time.time() + delay)
        wait_until(lambda: len(pickups) == 10)
    # A busy machine may hold a thread up; a worker that polls, or waits for the far ones, is late by seconds.
    assert max(pickups) < 0.5
    assert min(pickups) > -0.005


def test_plain_actors_and_later_queues_are_served(make_bench: MakeBench) -> None:
    """`queue.actor` works like a job; a queue that is declared later gets a pool."""
    bench = make_bench()
    queue: FlaskQueue = bench.queue

    @queue.actor()
    def double(number: int) -> int:
        return 2 * number

    with bench.working():
        message = double.send(4)
        record = bench.finished(f"default:{message.message_id}")
        assert (record.state, record.result, record.name) == ("completed", 8, "double")
        assert record.payload == {"args": [4], "kwargs": {}}
        assert double(3) == 6
