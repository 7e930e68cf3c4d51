"""What cannot be stored at COMMIT: the COMMIT stands, and the log and a signal tell of the jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from dramatiq import Middleware
from dramatiq.middleware import MiddlewareError
from flask import Flask

from flask_queue import JobRecord, JobState
from flask_queue.after_commit import LONGEST_PAYLOAD
from flask_queue.signals import job_dispatch_failed, job_dispatched
from tests.servers import RedisServer, free_port
from tests.transactions.conftest import Letter, Mail, MakeShop, Plain, Shop


class Heard:
    """What was told while it listened."""

    def __init__(self) -> None:
        self.failed: list[JobRecord] = []
        self.stored: list[JobRecord] = []

    def on_failed(self, sender: Flask, record: JobRecord) -> None:
        self.failed.append(record)

    def on_stored(self, sender: Flask, record: JobRecord) -> None:
        self.stored.append(record)


@pytest.fixture
def heard() -> Any:
    told = Heard()
    with job_dispatch_failed.connected_to(told.on_failed), job_dispatched.connected_to(told.on_stored):
        yield told


def test_redis_is_away(make_shop: MakeShop, database_url: str, log: Callable[[], list[str]], heard: Heard) -> None:
    """Nothing is raised; a line for each job has its id, its payload without secrets, and the reason."""
    port = free_port()
    shop = make_shop(database_url, redis_url=f"redis://127.0.0.1:{port}")
    shop.add("Ada")
    records = [Mail.dispatch(1), *Letter.dispatch_many([{"number": 2, "secret": "sesame"}, {"number": 3}])]
    shop.session.commit()
    assert shop.names() == ["Ada"]
    lines = log()
    assert len(lines) == 3
    for record, line in zip(records, lines, strict=True):
        assert line.startswith(f"{record.name} {record.id} was not dispatched after COMMIT: ")
        assert f"127.0.0.1:{port}" in line
    assert lines[1].endswith('Its payload: {"number": 2, "secret": "•••"}')
    assert [(record.id, record.payload, record.pending_commit) for record in heard.failed] == [
        (record.id, record.payload, False) for record in records
    ]
    assert all(record.error and record.error.type == "QueueUnavailable" for record in heard.failed)
    shop.add("Grace")
    shop.session.commit()
    assert len(log()) == 3


def test_redis_hangs(make_shop: MakeShop, sqlite_url: str, log: Callable[[], list[str]]) -> None:
    """One deadline for all the jobs of a COMMIT, of however many queues; what was stored before is not told of."""
    with RedisServer() as server:
        shop = make_shop(sqlite_url, redis_url=server.url, QUEUE_DISPATCH_TIMEOUT_S=0.5)
        Plain.dispatch()
        shop.add("Ada")
        for number in range(5):
            Mail.dispatch(number)
            Letter.dispatch(number)
        server.freeze()
        started = time.monotonic()
        shop.session.commit()
        assert time.monotonic() - started < 2
        server.thaw()
    assert len(log()) == 10


def test_redis_fills_up_between_two_scripts(
    make_shop: MakeShop, sqlite_url: str, log: Callable[[], list[str]], heard: Heard
) -> None:
    """Of many jobs some are stored: the log and the signal tell of the others alone."""
    with RedisServer(maxmemory="4mb") as server:
        shop = make_shop(sqlite_url, redis_url=server.url)
        shop.add("Ada")
        payloads = [{"number": number, "secret": "x" * 4000} for number in range(1500)]
        ids = [record.id for record in Letter.dispatch_many(payloads)]
        shop.session.commit()
        stored = shop.queue.counts()["letters"]["waiting"]
    assert 0 < stored < 1500
    assert [record.id for record in heard.failed] == ids[stored:]
    assert [line.split()[1] for line in log()] == ids[stored:]


def test_an_id_that_another_job_has(lite: Shop, log: Callable[[], list[str]], heard: Heard) -> None:
    """It is refused alone; jobs before and behind it are stored, each told of once."""
    Plain.options(job_id="taken").dispatch(0)
    heard.stored.clear()
    lite.add("Ada")
    Mail.dispatch(1)
    Mail.options(job_id="taken").dispatch(2)
    Mail.options(job_id="mine").dispatch(3)
    Plain.options(job_id="mine", after_commit=True).dispatch(4)
    Mail.dispatch(5)
    Letter.dispatch(6)
    lite.session.commit()
    assert (lite.stored(), lite.stored("letters")) == ([0, 1, 3, 5], [6])
    assert [line.split()[:2] for line in log()] == [["Mail", "default:taken"], ["Plain", "default:mine"]]
    assert all("already belongs to" in line for line in log())
    assert [record.payload["number"] for record in heard.failed] == [2, 4]
    assert [record.payload["number"] for record in heard.stored] == [1, 3, 5, 6]


def test_a_middleware_that_refuses(lite: Shop, log: Callable[[], list[str]], heard: Heard) -> None:
    """As Redis away: the COMMIT stands."""

    class Closed(Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:
            raise MiddlewareError("closed for today.")

    lite.queue.broker.add_middleware(Closed())
    lite.add("Ada")
    Mail.dispatch(1)
    lite.session.commit()
    assert lite.names() == ["Ada"]
    (line,) = log()
    assert "was not dispatched after COMMIT: closed for today. Its payload:" in line
    assert [record.state for record in heard.failed] == [JobState.WAITING]


def test_a_long_payload_is_cut_in_the_log(make_shop: MakeShop, sqlite_url: str, log: Callable[[], list[str]]) -> None:
    """Other ones are whole, so that the job can be dispatched by hand."""
    shop = make_shop(sqlite_url, redis_url=f"redis://127.0.0.1:{free_port()}", QUEUE_REDACT=[])
    shop.add("Ada")
    for length in (1000, 20_000):
        Letter.dispatch(7, secret="x" * length)
    shop.session.commit()
    whole, cut = (line.partition("Its payload: ")[2] for line in log())
    assert json.loads(whole) == {"number": 7, "secret": "x" * 1000}
    assert len(cut) == LONGEST_PAYLOAD + 1
    assert cut.endswith("…")
