"""The living workers: what they show, what they are asked, when they are forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from flask_queue import WorkerInfo
from flask_queue.store.roster import Request, Roster, Shown
from flask_queue.store.scripts import Call, load, run
from tests.store.checks import GLOBAL_KEYS
from tests.store.driver import LEASE_MS, PREFIX, Driver

SECOND = timedelta(seconds=1)


class Living(Roster):
    """The roster of an app without workers at first, for one client and lease."""

    def __init__(self, client: Redis) -> None:
        super().__init__(PREFIX)
        self.client = client

    def tell(self, worker: str, *running: tuple[str, str, str, int, int], age_ms: int = 0) -> Request | None:
        """Let a worker report; returns what it is asked."""
        shown = Shown("host", 7, "1.0", {"q": 2}, age_ms, 1_000_000, running)
        return self.report(self.client, worker, shown, lease_ms=LEASE_MS)

    def listed(self) -> list[WorkerInfo]:
        """Who lives."""
        return self.living(self.client, lease_ms=LEASE_MS)

    def told(self, request: Request, worker: str | None = None) -> list[str]:
        """Ask one or all; returns who was asked."""
        return self.ask(self.client, request, worker, lease_ms=LEASE_MS)

    def silence(self, worker: str, for_ms: int) -> None:
        """Let a worker have been silent for so long."""
        now_ms = datetime.now(UTC).timestamp() * 1000
        self.client.zadd(self.keys["workers"], {worker: now_ms - for_ms})


@pytest.fixture
def roster(redis_client: Redis) -> Living:
    """Of an app without workers."""
    return Living(redis_client)


def beat(client: Redis, key: str, worker: str) -> None:
    """What a heart does."""
    client.eval(load("beat").text, 1, key, worker)


def test_what_a_worker_shows_is_what_readers_see(roster: Living, redis_client: Redis) -> None:
    """Moments are reckoned from Redis's clock and the ages that were told."""
    run_ = ("q", "a", "Send", 2000, 60_000)
    assert roster.tell("w1", run_, age_ms=10_000) is None
    (info,) = roster.listed()
    now = datetime.now(UTC)
    assert (info.id, info.host, info.pid, info.version) == ("w1", "host", 7, "1.0")
    assert (info.queues, info.busy, info.rss_bytes) == ({"q": 2}, 1, 1_000_000)
    assert abs(now - info.last_beat_at) < SECOND
    assert abs(now - info.started_at - 10 * SECOND) < SECOND
    (job,) = info.running
    assert (job.id, job.name, job.queue, job.overdue) == ("q:a", "Send", "q", False)
    assert abs(now - job.started_at - 2 * SECOND) < SECOND


def test_a_run_beyond_its_time_is_overdue(roster: Living, redis_client: Redis) -> None:
    """It gets a second to end after it was interrupted; and time goes on for it where no new report comes."""
    runs = [("q", "in time", "Send", 59_000, 60_000), ("q", "ending", "Send", 60_500, 60_000)]
    runs += [("q", "late", "Send", 61_500, 60_000)]
    roster.tell("w1", *runs)
    (info,) = roster.listed()
    assert [job.overdue for job in info.running] == [False, False, True]


def test_the_longest_running_come_first(roster: Living, redis_client: Redis) -> None:
    """Workers are listed in the order of their starts."""
    for worker, age_ms in (("young", 1000), ("old", 9000), ("middle", 5000)):
        roster.tell(worker, age_ms=age_ms)
    assert [info.id for info in roster.listed()] == ["old", "middle", "young"]


def test_a_silent_worker_is_not_listed(roster: Living, redis_client: Redis) -> None:
    """After a lease it counts as dead; the next report of another one forgets it."""
    roster.tell("dead")
    roster.told("quiet", "dead")
    roster.silence("dead", LEASE_MS + 1000)
    assert roster.listed() == []
    assert roster.told("stop", "dead") == []
    roster.tell("w1")
    for key in GLOBAL_KEYS - {"workers"}:
        assert not redis_client.hexists(roster.keys[key], "dead")
    assert redis_client.zrange(roster.keys["workers"], 0, -1) == [b"w1"]


def test_a_worker_that_signs_off_is_forgotten(roster: Living, redis_client: Redis) -> None:
    """Nothing of it is left, not even what it was asked."""
    roster.tell("w1")
    roster.told("stop")
    roster.sign_off(redis_client, "w1")
    assert redis_client.keys("*") == []


def test_a_heart_keeps_a_worker_listed(roster: Living, redis_client: Redis, queue: Driver) -> None:
    """In the roster and in its queues; but one that is gone does not come to life again."""
    roster.tell("w1")
    queue.cycle("w1")
    for key in (roster.keys["workers"], queue.keys["workers"]):
        redis_client.zadd(key, {"w1": 1})
        beat(redis_client, key, "w1")
        beat(redis_client, key, "gone")
        assert redis_client.zrange(key, 0, -1) == [b"w1"]
        score: Any = redis_client.zscore(key, "w1")
        assert abs(score / 1000 - datetime.now(UTC).timestamp()) < 1
    assert [info.id for info in roster.listed()] == ["w1"]


def test_requests_reach_whom_they_are_for(roster: Living, redis_client: Redis) -> None:
    """One worker or all; each hears of it with every report until it ends."""
    for worker in ("w1", "w2"):
        roster.tell(worker)
    assert roster.told("quiet", "w1") == ["w1"]
    assert [roster.tell(worker) for worker in ("w1", "w2", "w1")] == ["quiet", None, "quiet"]
    assert sorted(roster.told("restart")) == ["w1", "w2"]
    assert [roster.tell(worker) for worker in ("w1", "w2")] == ["restart", "restart"]


@pytest.mark.parametrize(
    ("first", "second", "heard"),
    [
        ("stop", "quiet", "stop"),
        ("quiet", "stop", "stop"),
        ("stop", "restart", "stop"),
        ("restart", "quiet", "restart"),
    ],
)
def test_the_stronger_request_stands(
    roster: Living, redis_client: Redis, first: Request, second: Request, heard: Request
) -> None:
    """Whoever is to end is not kept by being told to be quiet."""
    roster.tell("w1")
    roster.told(first, "w1")
    roster.told(second, "w1")
    assert roster.tell("w1") == heard


def test_nobody_is_no_error(roster: Living, redis_client: Redis) -> None:
    """Without workers there is nobody to list and nobody to ask."""
    assert roster.listed() == []
    assert roster.told("restart") == []
    assert run(redis_client, Call(load("roster"), roster.keys, [LEASE_MS]))
