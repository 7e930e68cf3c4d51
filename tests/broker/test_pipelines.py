"""Pipelines of Dramatiq's, on our broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from dramatiq.results import Results
from dramatiq.results.backends.redis import RedisBackend

from flask_queue import Queue
from flask_queue.current import broker_of
from flask_queue.worker import Worker
from tests.broker.pipeline_worker import RAN, make_app
from tests.support import wait_until
from tests.worker.conftest import MakeBench


def test_a_pipeline_goes_through_several_queues(make_bench: MakeBench, redis_url: str) -> None:
    """Each result is the last argument of the next message; every one can be had afterwards."""
    results = Results(backend=RedisBackend(url=redis_url), store_results=True)
    bench = make_bench(queues=[Queue("default"), Queue("other")], middleware=[lambda: results])

    @bench.queue.actor()
    def add(x: int, y: int = 0) -> int:
        return x + y

    @bench.queue.actor(queue_name="other")
    def double(x: int = 0) -> int:
        return 2 * x

    pipe = add.message(1, 2) | double.message() | add.message(4)
    with bench.working():
        pipe.run()
        assert pipe.get_result(block=True) == 10
    assert list(pipe.get_results()) == [3, 6, 10]
    assert pipe.completed
    assert bench.queue.counts()["other"]["completed"] == 1


def test_a_delay_of_a_later_message_counts_from_its_turn(make_bench: MakeBench) -> None:
    """It is stored as a delayed job when the one before it has ended."""
    bench = make_bench()

    @bench.queue.actor()
    def nothing(*results: None) -> None:
        pass

    pipe = nothing.message() | nothing.message_with_options(delay=60_000)
    with bench.working():
        pipe.run()
        bench.finished(f"default:{pipe.messages[0].message_id}")
    delayed = bench.queue.get(f"default:{pipe.messages[1].message_id}")
    assert delayed.state == "delayed"


def test_a_follow_up_is_stored_once_though_its_worker_dies(
    redis_client: redis.Redis, redis_url: str, pytestconfig: pytest.Config
) -> None:
    """Killed between storing it and settling, the first job runs again; the second is refused by its id."""
    app = make_app(redis_url)
    broker = broker_of(app)
    pipe = broker.get_actor("first").message() | broker.get_actor("second").message()
    pipe.run()
    dying = [sys.executable, "-m", "tests.broker.pipeline_worker", redis_url]
    died = subprocess.run(
        dying, env={**os.environ, "PYTHONPATH": str(pytestconfig.rootpath)}, timeout=20, check=False, cwd=Path.cwd()
    )
    assert died.returncode == -signal.SIGKILL
    worker = Worker(broker)
    worker.start()
    try:
        wait_until(lambda: redis_client.lrange(RAN, 0, -1).count(b"first") == 2, 10)
        wait_until(lambda: not broker.store.transitions.unfinished(broker.store.client, "default"))
        wait_until(lambda: not broker.store.transitions.unfinished(broker.store.client, "other"))
    finally:
        assert worker.stop()
        broker.close()
    assert sorted(redis_client.lrange(RAN, 0, -1)) == [b"first", b"first", b"second from first"]
