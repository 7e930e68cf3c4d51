"""Dispatch while Redis is away, hangs, or refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, JobState, QueueUnavailable
from tests.servers import RedisServer, free_port


class Mail(Job):
    def handle(self, user_id: int) -> None: ...


@contextmanager
def app_on(url: str, **config: object) -> Iterator[FlaskQueue]:
    app = Flask("dispatching")
    app.config.update({"QUEUE_REDIS_URL": url, **config})
    queue = FlaskQueue(app, jobs=[Mail])
    with app.app_context():
        yield queue
        queue.broker.close()


@contextmanager
def refused_within(seconds: float) -> Iterator[pytest.ExceptionInfo[QueueUnavailable]]:
    started = time.monotonic()
    with pytest.raises(QueueUnavailable) as info:
        yield info
    assert time.monotonic() - started < seconds
    assert "\n" not in str(info.value)


def test_nobody_listens() -> None:
    """One line that says where Redis was looked for; the error has the id under which to send again."""
    port = free_port()
    with app_on(f"redis://127.0.0.1:{port}") as queue, refused_within(1) as info:
        Mail.options(job_id="welcome-7").dispatch(7)
    assert info.value.job_id == "default:welcome-7"
    assert f"127.0.0.1:{port}" in str(info.value)
    assert "QUEUE_REDIS_URL" in str(info.value)
    assert queue is not None


def test_the_password_is_wrong() -> None:
    """The message names the setting, and not the password."""
    with RedisServer(tcp=True, password="right") as server:
        url = server.url.replace("right", "wrong-one")
        with app_on(url), refused_within(1) as info:
            Mail.dispatch(7)
    assert "REDIS_PASSWORD" in str(info.value)
    assert "wrong-one" not in str(info.value)


@pytest.mark.parametrize("is_connected", [False, True])
def test_redis_hangs(is_connected: bool) -> None:
    """Within QUEUE_DISPATCH_TIMEOUT_S in all; sending again under the same id stores one job."""
    with RedisServer() as server, app_on(server.url, QUEUE_DISPATCH_TIMEOUT_S=1) as queue:
        if is_connected:
            Mail.dispatch(1)
        server.freeze()
        with refused_within(1.2) as info:
            Mail.options(job_id="once").dispatch(7)
        assert info.value.job_id == "default:once"
        server.thaw()
        Mail.options(job_id="once").dispatch(7)
        assert queue.counts()["default"]["waiting"] == 1 + is_connected


def test_a_restart_between_two_dispatches_is_not_noticed() -> None:
    """A pooled connection that has died is replaced inside the call."""
    with RedisServer(appendonly=True) as server, app_on(server.url) as queue:
        Mail.dispatch(1)
        server.restart()
        record = Mail.dispatch(2)
        assert (record.state, record.deduplicated) == (JobState.WAITING, False)
        assert queue.counts()["default"]["waiting"] == 2


def test_jobs_can_be_read_while_redis_is_full() -> None:
    """An operator looks just then: a dispatch is refused, `get` and the listings are not."""
    with RedisServer() as server, app_on(server.url) as queue:
        job_id = Mail.dispatch(1).id
        with server.client() as client:
            client.config_set("maxmemory", "1")
        with pytest.raises(QueueUnavailable, match="maxmemory"):
            Mail.dispatch(2)
        assert queue.get(job_id).state == JobState.WAITING
        assert [record.id for record in queue.jobs().records] == [job_id]
        assert queue.counts()["default"]["waiting"] == 1


def test_a_bulk_dispatch_says_what_it_has_stored() -> None:
    """Between its scripts Redis fills up: the error carries the records so far; sending all again stores the rest."""
    with RedisServer(maxmemory="4mb") as server, app_on(server.url) as queue:
        ids = [f"job-{number}" for number in range(2_000)]
        payloads = [{"user_id": "7" * 4_000}] * 2_000
        with pytest.raises(QueueUnavailable) as info:
            Mail.dispatch_many(payloads, job_ids=ids)
        stored = len(info.value.stored)
        assert stored % 256 == 0
        assert 0 < stored < 2_000
        assert "maxmemory" in str(info.value)
        with server.client() as client:
            client.config_set("maxmemory", "0")
        records = Mail.dispatch_many(payloads, job_ids=ids)
        assert sum(record.deduplicated for record in records) == stored
        assert queue.counts()["default"]["waiting"] == 2_000
