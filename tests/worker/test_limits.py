"""Rate limits and `max_running`, over the worker processes that serve a queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from flask_queue import Job, Queue, RateLimit
from flask_queue.delivery import Delivery
from flask_queue.outcome import Completed
from flask_queue.store.transitions import CycleReply, CycleRequest, Settlement
from flask_queue.worker.pool import WARY_RUNS, Pool
from tests.store.checks import check_queue
from tests.support import wait_until
from tests.worker.app import Claimed, Journaled
from tests.worker.conftest import Bench, MakeBench
from tests.worker.test_processes import LEASE_S, Fleet

ran: list[int] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()


class Notes(Job):
    def handle(self, number: int = 0) -> None:
        ran.append(number)


class Blocks(Job):
    gate = False

    def handle(self) -> None:
        wait_until(lambda: type(self).gate, 20)


class LimitedFleet(Fleet):
    """Worker processes on one limited queue, and what they wrote of it."""

    def start_two(self) -> None:
        """Start two, and return when both have beaten."""
        self.start()
        self.start()
        self.wait_for_workers(2)

    def stop(self) -> None:
        """End all in order, and check that the store is whole."""
        for process in self.processes:
            process.terminate()
        assert [process.wait(20) for process in self.processes] == [0] * len(self.processes)
        self.check()

    def wait_for_workers(self, count: int) -> None:
        """Return when so many have beaten."""
        store = self.bench.broker.store
        beats = store.transitions.keys("default")["workers"]
        wait_until(lambda: store.client.zcard(beats) == count, 30)

    def lines(self) -> list[tuple[str, int, int]]:
        """Event, number and process of each line of the journal, in order."""
        lines = self._journal.read_text().splitlines() if self._journal.exists() else []
        return [(what, int(number), int(pid)) for what, number, pid in map(str.split, lines)]


MakeFleet = Callable[[str], LimitedFleet]


@pytest.fixture
def make_fleet(
    make_bench: MakeBench, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeFleet]:
    """Makes a fleet whose queue has these limits, as QUEUES spells them."""
    made: list[LimitedFleet] = []

    def make(limits: str) -> LimitedFleet:
        monkeypatch.setenv("QUEUES", f'{{"default": {limits}}}')
        bench = make_bench(Journaled, Claimed, queues=[Queue("default")])
        made.append(LimitedFleet(bench, tmp_path, redis_url))
        return made[0]

    yield make
    for fleet in made:
        fleet.end()


def crowded(times: Sequence[int], limit: int, window_ms: int) -> list[int]:
    """The beginnings of windows that have more than `limit` of these times."""
    ordered = sorted(times)
    return [first for first, last in zip(ordered, ordered[limit:], strict=False) if last - first <= window_ms]


def test_two_processes_keep_a_rate_limit_and_use_it_up(make_fleet: MakeFleet) -> None:
    """At full speed no window of 2 s has more than 100 claims, and 95 % of what is allowed is used."""
    fleet = make_fleet('{"rate_limit": "100/2s"}')
    Claimed.dispatch_many([{}] * 1000)
    fleet.start_two()
    wait_until(lambda: len(fleet.lines()) > 400, 40)
    times = sorted(claimed_ms for _, claimed_ms, _ in fleet.lines())
    assert crowded(times, 100, 2000) == []
    assert times[400] - times[0] <= 4 * 2000 / 0.95
    assert len({pid for _, _, pid in fleet.lines()}) == 2
    fleet.stop()


def running_at_most(lines: Sequence[tuple[str, int, int]]) -> int:
    """The most jobs that ran at a time."""
    running = most = 0
    for what, _, _ in lines:
        running += 1 if what == "start" else -1
        most = max(most, running)
    return most


def test_two_processes_keep_max_running_and_use_it_up(make_fleet: MakeFleet) -> None:
    """With four threads for short jobs, three run at a time and never four, and both processes run some."""
    fleet = make_fleet('{"concurrency": 2, "max_running": 3}')
    fleet.start_two()
    Journaled.dispatch_many([{"number": number, "seconds": 0.02} for number in range(300)])
    wait_until(lambda: fleet.count("completed") == 300, 30, interval=0.05)
    assert running_at_most(fleet.lines()) == 3
    assert len({pid for _, _, pid in fleet.lines()}) == 2
    fleet.stop()


def test_a_killed_worker_frees_its_slots_with_its_lease(make_fleet: MakeFleet) -> None:
    """Until then its jobs count as running; then the other worker has them, and never more than `max_running`."""
    fleet = make_fleet('{"concurrency": 4, "max_running": 2}')
    Journaled.dispatch_many([{"number": number, "seconds": 30 if number < 2 else 0} for number in range(4)])
    victim = fleet.start()
    wait_until(lambda: len(fleet.journal("start")) == 2, 15)
    fleet.start()
    fleet.wait_for_workers(2)
    victim.kill()
    most: list[int] = []

    def came_back() -> bool:
        most.append(fleet.count("active"))
        return fleet.journal("start").total() == 4

    wait_until(came_back, LEASE_S + 3)
    assert (max(most), fleet.count("waiting"), fleet.journal("start")) == (2, 2, {0: 2, 1: 2})


class Elsewhere:
    """Another worker, which holds a job."""

    def __init__(self, bench: Bench) -> None:
        self._store, self._retention = bench.broker.store, bench.broker.retention
        (job,) = self._cycle(CycleRequest("default", 1, 1)).claimed
        self._ended = Settlement(job.local_id, job.state.number, 1, Completed())

    def end(self) -> None:
        """The job completes, and no other is taken."""
        self._cycle(CycleRequest("default", settlements=[self._ended]))

    def _cycle(self, request: CycleRequest) -> CycleReply:
        (reply,) = self._store.transitions.cycle(self._store.client, "elsewhere", self._retention, [request])
        assert isinstance(reply, CycleReply), reply
        return reply


def test_a_freed_slot_is_taken_by_another_worker_at_once(make_bench: MakeBench, redis_client: Redis) -> None:
    """An idle worker that waits for a full queue is woken when a run ends elsewhere, and asks nothing meanwhile."""
    bench = make_bench(Notes, queues=[Queue("default", max_running=1)])
    Notes.dispatch_many([{"number": number} for number in range(20)])
    other = Elsewhere(bench)
    with bench.working():
        wait_until(lambda: blocked(redis_client) == 1)
        before = sent_commands(redis_client)
        time.sleep(1)
        assert sent_commands(redis_client) - before <= 2
        assert ran == []
        other.end()
        freed_s = time.monotonic()
        wait_until(lambda: ran, 2, interval=0.001)
        assert time.monotonic() - freed_s < 0.25
        wait_until(lambda: len(ran) == 19)


def test_a_closed_queue_costs_next_to_nothing(make_bench: MakeBench, redis_client: Redis) -> None:
    """While the window is closed a worker with idle threads sends nothing but its beats, also when jobs are added."""
    bench = make_bench(Notes, queues=[Queue("default", rate_limit=RateLimit(5, per_s=3))])
    Notes.dispatch_many([{"number": number} for number in range(9)])
    with bench.working():
        wait_until(lambda: len(ran) == 5)
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == 5)
        before = sent_commands(redis_client)
        for number in range(9, 12):
            Notes.dispatch(number)
        time.sleep(1.5)
        # The three dispatches, one wake-up that had been asked for before, and its look.
        assert sent_commands(redis_client) - before <= 3 + 2 + 1
        assert len(ran) == 5
        wait_until(lambda: len(ran) == 10, 4)


def test_a_worker_without_an_idle_thread_passes_an_opened_window_on(make_bench: MakeBench) -> None:
    """Another one that knows nothing of the window is woken when it opens, not at its next beat."""
    bench = make_bench(Notes, Blocks, queues=[Queue("default", concurrency=1, rate_limit=RateLimit(1, per_s=1))])
    store, keys = bench.broker.store, bench.broker.store.transitions.keys("default")
    Blocks.dispatch()
    Notes.dispatch()
    with bench.working():
        wait_until(lambda: bench.queue.counts()["default"]["active"] == 1)
        store.client.delete(keys["wake"])
        wait_until(lambda: store.client.exists(keys["wake"]), 2, what="a marker came")
        Blocks.gate = True
        wait_until(lambda: ran)


def test_bursts_wait_for_closed_windows(make_bench: MakeBench) -> None:
    """A burst ends when all is done, however long the limit makes it."""
    bench = make_bench(Notes, queues=[Queue("default", rate_limit=RateLimit(4, per_s=0.3), max_running=1)])
    Notes.dispatch_many([{"number": number} for number in range(10)])
    bench.run_all()
    assert ran == list(range(10))
    check_queue(bench.broker.store.client, bench.broker.store.transitions.keys("default"))


@pytest.mark.parametrize("ahead", [True, False])
def test_limited_queues_take_nothing_ahead(ahead: bool) -> None:
    """A job in front of a busy thread would use a slot up; other queues hide the round trip that way."""
    pool = Pool("default", 3, run=lambda delivery: NotImplemented, report=lambda ended: None, takes_ahead=ahead)
    pool.give(cast(Delivery, None))
    pool.ended(0.00001)
    assert (pool.wanted > pool.idle == 3) is ahead


@pytest.mark.parametrize(
    ("runtime_s", "wanted"),
    [
        pytest.param(0.0001, 132, id="short: half of what the threads may have, as the other half runs meanwhile"),
        pytest.param(0.010, 8, id="some milliseconds: as many as are idle"),
        pytest.param(1.0, 8, id="long"),
    ],
)
def test_a_cycle_brings_half_of_what_a_pool_may_have(runtime_s: float, wanted: int) -> None:
    """Threads that had all of it at once would wait for the next; each idle thread gets a job all the same."""
    pool = pool_of(8, runtime_s)
    assert pool.wanted == wanted


@pytest.mark.parametrize(
    ("runtime_s", "ahead"),
    [
        pytest.param(0.010, 8, id="one for each thread"),
        pytest.param(0.020, 4, id="fewer than threads"),
        pytest.param(0.100, 0, id="none"),
    ],
)
def test_jobs_wait_in_hand_for_ten_milliseconds_at_most(runtime_s: float, ahead: int) -> None:
    """Also before fewer jobs than there are threads: the next of them to end takes it."""
    pool = pool_of(8, runtime_s)
    for _ in range(8):
        pool.give(cast(Delivery, None))
    given = 0
    while pool.wanted:
        pool.give(cast(Delivery, None))
        given += 1
    assert given == ahead


def test_a_pool_that_met_longer_jobs_takes_none_ahead_for_a_while() -> None:
    """However short the others were."""
    pool = pool_of(8, 0.0001)
    pool.take_none_ahead()
    for _ in range(WARY_RUNS):
        assert pool.wanted == pool.idle == 8
        pool.give(cast(Delivery, None))
        pool.ended(0.0001)
    assert pool.wanted == 132


def test_one_long_job_among_short_ones_does_not_stop_taking_ahead() -> None:
    """Of an hour, say: the next thousand are as short as those before."""
    pool = pool_of(8, 0.0001)
    pool.give(cast(Delivery, None))
    pool.ended(3600)
    assert pool.wanted > pool.idle


def pool_of(threads: int, runtime_s: float) -> Pool:
    """An idle pool whose jobs take so long."""
    pool = Pool("default", threads, run=lambda delivery: NotImplemented, report=lambda ended: None)
    pool.give(cast(Delivery, None))
    pool.ended(runtime_s)
    return pool


def blocked(client: Redis) -> int:
    """How many clients wait for a marker."""
    return int(client.info("clients")["blocked_clients"])


def sent_commands(client: Redis) -> int:
    """Commands that clients have sent, without those that this look costs."""
    stats = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "bzpopmin"))
