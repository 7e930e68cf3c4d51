"""What goes wrong at Redis, and what a worker makes of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import redis

from flask_queue import Job, JobState, Queue
from flask_queue.store.own_connection import Client
from flask_queue.store.transitions import SUSPECT_FROM, CycleReply, CycleRequest, Reaped, Retention
from flask_queue.worker import Worker
from tests.servers import RedisServer
from tests.store.checks import check_queue
from tests.support import wait_until
from tests.worker.conftest import Bench, MakeBench

LEASE_S = 1.0

ran: list[int] = []
gate = threading.Event()
started = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    ran.clear()
    gate.clear()
    started.clear()
    yield
    gate.set()


class Notes(Job):
    def handle(self, number: int = 0) -> None:
        ran.append(number)


class Emails(Notes):
    queue_name = "emails"


class Waits(Job):
    def handle(self) -> None:
        started.set()
        gate.wait(20)


def check(bench: Bench) -> None:
    check_queue(bench.broker.store.client, bench.broker.store.transitions.keys("default"))


def lose_reply(bench: Bench, when: Callable[[CycleRequest, CycleReply], bool]) -> threading.Event:
    """The first reply of a cycle for which `when` holds is lost on its way; returns what tells of it."""
    transitions, lost = bench.broker.store.transitions, threading.Event()
    cycle = transitions.cycle

    def deaf(
        client: Client, worker: str, retention: Retention, requests: Sequence[CycleRequest]
    ) -> list[CycleReply | redis.RedisError]:
        replies = cycle(client, worker, retention, requests)
        for request, reply in zip(requests, replies, strict=True):
            if not lost.is_set() and isinstance(reply, CycleReply) and when(request, reply):
                lost.set()
                raise redis.ConnectionError("the reply was lost")
        return replies

    transitions.cycle = deaf  # type: ignore[method-assign]
    return lost


def has_claimed(request: CycleRequest, reply: CycleReply) -> bool:
    return bool(reply.claimed)


def has_settled(request: CycleRequest, reply: CycleReply) -> bool:
    return bool(request.settlements)


def test_a_queue_whose_scripts_fail_holds_no_other_up(
    make_bench: MakeBench, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """The others run as ever; it says so once, and goes on when it can."""
    bench = make_bench(Notes, Emails, queues=[Queue("default"), Queue("emails")])
    waiting = bench.broker.store.transitions.keys("emails")["waiting"]
    redis_client.set(waiting, "no list")
    records = Notes.dispatch_many([{"number": number} for number in range(2000)])
    with bench.working():
        wait_until(lambda: len(ran) == len(records), 10)
        bench.finished(Notes.dispatch().id, timeout=0.5)
        redis_client.delete(waiting)
        bench.finished(Emails.dispatch().id)
    assert sum("Queue emails: Redis refuses" in entry.message for entry in caplog.records) == 1


@pytest.mark.parametrize(
    "message",
    [b"", b"Notes", b"Notes\n{}\n5", b"Notes\n{}\n[1,2,3]", b"Notes\n{", b"\xff\n{}", b"Notes\n" + b"[" * 100_000],
    ids=lambda message: repr(message[:16]),
)
def test_a_damaged_message_fails_and_stops_nobody(
    make_bench: MakeBench, redis_client: redis.Redis, message: bytes
) -> None:
    """Whatever stands in Redis in a message's place."""
    bench = make_bench(Notes)
    Notes.options(job_id="damaged").dispatch(1)
    redis_client.hset(bench.broker.store.transitions.keys("default")["jobs"], "damaged", message)
    with bench.working():
        wait_until(lambda: bench.queue.counts()["default"]["failed"] == 1)
        assert bench.finished(Notes.dispatch(2).id).state == "completed"


def test_what_was_taken_ahead_keeps_its_place(make_bench: MakeBench) -> None:
    """Jobs that a thread had in front of it go back in their order."""
    bench = make_bench(Notes, Waits)
    Notes.dispatch_many([{"number": -1}] * 200)
    Waits.dispatch()
    Notes.dispatch_many([{"number": number} for number in range(50)])
    with bench.working({"default": 1}):
        wait_until(lambda: bench.queue.counts()["default"]["active"] == 1 and started.is_set())
        gate.set()
        wait_until(lambda: len(ran) == 250)
    assert ran[200:] == list(range(50))


def test_a_claim_whose_reply_was_lost_is_run_once(make_bench: MakeBench) -> None:
    """The jobs are in this worker's hands without its knowledge, and nobody else would take them."""
    bench = make_bench(Notes)
    lost = lose_reply(bench, has_claimed)
    records = Notes.dispatch_many([{"number": number} for number in range(20)])
    with bench.working():
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == len(records))
    assert lost.is_set()
    assert sorted(ran) == list(range(20))
    assert {bench.queue.get(record.id).attempts for record in records} == {1}
    check(bench)


def test_a_claim_whose_reply_was_lost_goes_back_at_a_stop(make_bench: MakeBench) -> None:
    """A worker that stops begins nothing any more."""
    bench = make_bench(Notes, Waits)
    Waits.dispatch()
    with bench.working({"default": 3}) as worker:
        assert started.wait(5)
        lost = lose_reply(bench, has_claimed)
        records = Notes.dispatch_many([{"number": number} for number in range(20)])
        assert lost.wait(5)
        threading.Timer(0.5, gate.set).start()
        assert worker.stop()
    assert ran == []
    found = bench.queue.jobs(state=JobState.WAITING).records
    assert {record.id for record in found} == {record.id for record in records}
    assert {record.attempts for record in found} == {0}
    check(bench)


def test_an_end_whose_reply_was_lost_is_not_said_to_be_late(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """It is sent again, and refused as it was settled the first time: no harm, and no warning."""
    bench = make_bench(Notes)
    lost = lose_reply(bench, has_settled)
    with bench.working():
        record = bench.finished(Notes.dispatch().id)
        assert lost.wait(5)
    assert (record.state, record.attempts) == ("completed", 1)
    assert "taken from this worker" not in caplog.text
    check(bench)


def test_a_recovered_claim_does_not_wait_behind_a_long_job(make_bench: MakeBench) -> None:
    """More jobs than threads: those without one go back within moments, for a worker that has some."""
    bench = make_bench(Waits)
    lost = lose_reply(bench, has_claimed)
    Waits.dispatch_many([{}] * 4)
    with bench.working({"default": 2}):
        assert lost.wait(5)
        wait_until(lambda: (counts := bench.queue.counts()["default"])["active"] == 2 == counts["waiting"])
        gate.set()
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == 4)


def test_a_connection_that_breaks_at_every_wait_is_no_reason_to_hurry(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where only the waiting connection fails, Redis is not away: jobs still run, and the log gets one line."""
    bench = make_bench(Notes)

    def broken(*args: Any, **options: Any) -> None:
        raise redis.ConnectionError("max number of clients reached")

    monkeypatch.setattr(redis.Redis, "bzpopmin", broken)
    with caplog.at_level(logging.INFO), bench.working():
        until = time.monotonic() + 4
        while time.monotonic() < until:
            assert bench.finished(Notes.dispatch().id, timeout=8).state == "completed"
    assert "not available" not in caplog.text
    assert [entry.message for entry in caplog.records if "Cannot wait" in entry.message] == [
        "Cannot wait for jobs (max number of clients reached), so they are looked for now and then."
    ]


def test_a_wait_that_breaks_for_no_reason_of_redis_ends_the_worker(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is not swallowed: the worker says so and ends, and others take over."""
    bench = make_bench(Notes)

    def broken(*args: Any, **options: Any) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(redis.Redis, "bzpopmin", broken)
    worker = Worker(bench.broker)
    worker.start()
    assert worker.join(5)
    assert worker.stop()
    assert worker.has_failed


def test_redis_knows_soon_what_has_started(make_bench: MakeBench) -> None:
    """Also of a long job that was taken ahead of its thread: if it kills its worker, that counts."""
    bench = make_bench(Notes, Waits, QUEUE_LEASE_S=60)
    Notes.dispatch_many([{"number": -1}] * 200)
    job_id = Waits.dispatch().id
    with bench.working({"default": 1}):
        assert started.wait(5)
        wait_until(lambda: bench.queue.get(job_id).started_at is not None, 1)
        gate.set()


def test_a_job_that_comes_back_while_it_still_runs(make_bench: MakeBench) -> None:
    """Taken for dead, a worker claims its own job again: the first run settles nothing, the second one does."""
    bench = make_bench(Waits)
    job_id = Waits.dispatch().id
    with bench.working({"default": 2}):
        assert started.wait(5)
        started.clear()
        wait_until(lambda: bench.bury().recovered == 1)
        assert started.wait(5)
        gate.set()
        record = bench.finished(job_id)
        assert (record.state, record.attempts, record.recoveries) == ("completed", 1, 1)
        assert [run.outcome for run in record.history] == ["lost", "completed"]
        gate.clear()
        Waits.dispatch_many([{}] * 3)
        wait_until(lambda: (counts := bench.queue.counts()["default"])["active"] == 2 and counts["waiting"] == 1)
        gate.set()
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == 4)
    check(bench)


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    """Redis hangs: it takes connections and commands, and answers later."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


def test_a_redis_that_hangs_loses_and_repeats_nothing(own_server: RedisServer, make_bench: MakeBench) -> None:
    """For longer than the time-out of a connection: what it did meanwhile is found out, and each job runs once."""
    hasty = make_bench(Notes, url=own_server.url, QUEUE_SOCKET_TIMEOUT_S=0.5)
    bench = make_bench(Notes, url=own_server.url)
    Notes.dispatch_many([{"number": number} for number in range(3000)])
    with hasty.working():
        for _ in range(3):
            before = len(ran)
            wait_until(lambda before=before: len(ran) > before)  # type: ignore[misc]
            with frozen(own_server):
                time.sleep(0.8)
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == 3000, 15)
    assert sorted(ran) == list(range(3000))
    check(bench)


def test_a_look_for_the_dead_that_was_held_up_spares_all_for_a_lease(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when Redis hung for a lease while it was under way: the beats of the living may not be there yet."""
    bench = make_bench(Notes, QUEUE_LEASE_S=LEASE_S)
    transitions = bench.broker.store.transitions
    reap = transitions.reap
    looks: list[tuple[float, Reaped]] = []

    def held_up(*args: Any, by_ms: int, **others: Any) -> Reaped:
        if looks:
            found = reap(*args, by_ms=by_ms, **others)
        else:
            found = replace(reap(*args, by_ms=0, **others), now_ms=by_ms + 1)
        looks.append((time.monotonic(), found))
        return found

    monkeypatch.setattr(transitions, "reap", held_up)
    record = Notes.dispatch()
    request = CycleRequest("default", want=1, idle=1)
    transitions.cycle(bench.broker.store.client, "dead", bench.broker.retention, [request])
    with bench.working():
        bench.finished(record.id)
    (first_s, first), (second_s, second) = looks[:2]
    assert (first.recovered, second.recovered) == (0, 1)
    assert second_s - first_s >= LEASE_S


@pytest.mark.parametrize("call", ["info", "cycle"])
def test_a_worker_that_starts_while_redis_hangs_takes_nobody_for_dead_at_once(
    own_server: RedisServer, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Its first calls came through after more than a lease; the beats of the living may come later still."""
    bench = make_bench(Notes, url=own_server.url, QUEUE_LEASE_S=LEASE_S)
    transitions = bench.broker.store.transitions
    cycle, reap = transitions.cycle, transitions.reap
    thawed_s: list[float] = []
    looks_s: list[float] = []

    def thaw() -> None:
        thawed_s.append(time.monotonic())
        own_server.thaw()

    def hang() -> None:
        own_server.freeze()
        threading.Timer(LEASE_S * 1.5, thaw).start()

    def first_cycle(*args: Any) -> Any:
        monkeypatch.setattr(transitions, "cycle", cycle)
        hang()
        return cycle(*args)

    def look(*args: Any, **kwargs: Any) -> Reaped:
        looks_s.append(time.monotonic())
        return reap(*args, **kwargs)

    Notes.dispatch()
    request = CycleRequest("default", want=1, idle=1)
    transitions.cycle(bench.broker.store.client, "living", bench.broker.retention, [request])
    # Up for longer than a lease: a server that has just started is another reason.
    wait_until(lambda: bench.broker.store.client.info()["uptime_in_seconds"] > LEASE_S + 1)
    monkeypatch.setattr(transitions, "reap", look)
    if call == "cycle":
        monkeypatch.setattr(transitions, "cycle", first_cycle)
    else:
        hang()
    with bench.working():
        wait_until(lambda: bool(looks_s), 10)
    assert looks_s[0] >= thawed_s[0] + LEASE_S


def test_a_redis_that_lost_its_data_is_worked_on(make_bench: MakeBench) -> None:
    """What was running ends as late, what is dispatched then runs; nothing of the old jobs is in the way."""
    with RedisServer() as server:
        bench = make_bench(Waits, Notes, url=server.url)
        Waits.options(job_id="same").dispatch()
        with bench.working({"default": 2}):
            assert started.wait(5)
            server.kill()
            server.start()
            wait_until(lambda: bench.queue.counts()["default"]["completed"] == 0)
            assert bench.finished(Notes.dispatch(1).id).state == "completed"
            gate.set()
            wait_until(lambda: bench.finished(Notes.dispatch(2).id).state == "completed")
        assert bench.queue.counts()["default"] | {"completed": 2, "active": 0} == bench.queue.counts()["default"]
        check(bench)


def lose_workers(bench: Bench, count: int) -> None:
    """The next job is claimed and lost so many times."""
    store = bench.broker.store

    def claims(worker: str) -> bool:
        request = CycleRequest("default", want=1, idle=1)
        (reply,) = store.transitions.cycle(store.client, worker, bench.broker.retention, [request])
        return isinstance(reply, CycleReply) and bool(reply.claimed)

    for number in range(count):
        wait_until(partial(claims, f"dead-{number}"))
        bench.bury(max_recoveries=count)


def test_a_suspect_that_is_taken_away_while_it_waits_does_not_begin(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker was taken for dead while another job kept it from its turn: it runs where it is claimed next, once."""
    # Long enough for the other job to begin before.
    monkeypatch.setattr("flask_queue.store.transitions.SUSPECT_PAUSE_MS", (3000, 3000))
    monkeypatch.setattr("flask_queue.worker.suspects.PATIENCE_S", 60.0)
    bench = make_bench(Notes, Waits)
    suspect = Notes.dispatch(7)
    lose_workers(bench, SUSPECT_FROM)
    with bench.working({"default": 2}):
        Waits.dispatch()
        assert started.wait(5)
        bench.reaches(suspect.id, JobState.ACTIVE)
        wait_until(lambda: bench.bury(max_recoveries=9).recovered)
        gate.set()
        wait_until(lambda: bench.queue.counts()["default"]["completed"] == 2)
    assert ran == [7]
    check(bench)


def test_a_suspect_that_waits_for_long_is_put_off(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other jobs run beside the long one that keeps it from its turn; it spends nothing, and its turn comes."""
    # Long enough for the other job to begin before.
    monkeypatch.setattr("flask_queue.store.transitions.SUSPECT_PAUSE_MS", (2000, 2000))
    monkeypatch.setattr("flask_queue.worker.suspects.PATIENCE_S", 0.1)
    bench = make_bench(Notes, Waits)
    suspect = Notes.dispatch(7)
    lose_workers(bench, SUSPECT_FROM)
    with bench.working({"default": 2}):
        Waits.dispatch()
        assert started.wait(5)
        # At least twice: its number tells how often it was claimed, and each time another job gets through.
        for note in (1, 2):
            wait_until(lambda: bench.queue.get(suspect.id).state is JobState.ACTIVE)
            bench.finished(Notes.dispatch(note).id)
        gate.set()
        record = bench.finished(suspect.id, timeout=20)
    assert ran == [1, 2, 7]
    assert (record.attempts, record.recoveries) == (1, SUSPECT_FROM)
    assert [run.outcome for run in record.history] == ["lost"] * SUSPECT_FROM + ["completed"]
    check(bench)


def test_a_job_thread_that_breaks_ends_the_worker(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its job would stay active as long as the worker lives: so others take it."""
    bench = make_bench(Notes, QUEUE_LEASE_S=1)
    worker = Worker(bench.broker)
    monkeypatch.setattr(worker.running, "run", _broken)
    worker.serve("default")
    job_id = Notes.dispatch().id
    worker.start()
    assert worker.join(5)
    assert worker.stop()
    assert worker.has_failed
    with bench.working():
        assert bench.finished(job_id).recoveries == 1


def _broken(*args: Any) -> None:
    raise ValueError("a fault")
