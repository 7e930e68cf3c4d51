"""What a server has done and holds, by which tests tell what jobs cost it: counts, which no busy machine changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, Queue
from flask_queue.current import broker_of
from flask_queue.worker import Worker
from tests.servers import RedisServer


class Nothing(Job):
    """Does nothing."""

    def handle(self, number: int) -> None:
        """Take the tiny payload."""


class Fails(Job):
    """Fails for good."""

    max_retries = 0

    def handle(self, number: int) -> None:
        """Raise."""
        raise ValueError("no such user")


@dataclass
class Cost:
    """What a block of a test cost the server."""

    #: Times that it read from a client: with small commands, a round trip each.
    reads: int = 0
    #: Commands, those inside of scripts too.
    commands: int = 0
    #: Scripts called by their digest.
    scripts: int = 0
    #: By which what is stored grew.
    size: int = 0


@dataclass
class Meter:
    """A server of its own, and an app on it; its client is used by nobody else."""

    server: RedisServer
    threads: int = 8
    queues: tuple[str, ...] = ("default",)
    app: Flask = field(init=False)
    queue: FlaskQueue = field(init=False)

    def __post_init__(self) -> None:
        self._client: Any = self.server.client()
        self.app = Flask("guards")
        self.app.config["QUEUE_REDIS_URL"] = self.server.url
        queues = [Queue(name, concurrency=self.threads) for name in self.queues]
        self.queue = FlaskQueue(self.app, queues=queues, jobs=[Nothing, Fails])
        self.broker = broker_of(self.app)

    @contextmanager
    def metered(self) -> Iterator[Cost]:
        """The cost of the block, once it is over."""
        cost = Cost()
        before = self._look()
        yield cost
        after = self._look()
        # The meter's own are the four of the first look.
        cost.reads = after.reads - before.reads - 4
        cost.commands = after.commands - before.commands - 4
        cost.scripts = after.scripts - before.scripts
        cost.size = after.size - before.size

    def work(self) -> None:
        """Work until nothing is left."""
        worker = Worker(self.broker, is_burst=True)
        worker.start()
        assert worker.join(60), "the burst does not end"
        assert worker.stop()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self.broker.close()

    def _look(self) -> Cost:
        stats, calls = self._client.info("stats"), self._client.info("commandstats")
        clients = sum(int(client["tot-mem"]) for client in self._client.client_list())
        size = self._client.info("memory")["used_memory"] - clients
        scripts = calls.get("cmdstat_evalsha", {"calls": 0})["calls"]
        return Cost(stats["total_reads_processed"], stats["total_commands_processed"], scripts, size)


@pytest.fixture
def meter() -> Iterator[Meter]:
    """On a server that nobody else uses; scripts are loaded, connections open."""
    with RedisServer() as server:
        meter = Meter(server)
        with meter.app.app_context():
            Nothing.dispatch_many([{"number": 1}] * 20)
            Nothing.options(delay_s=1e6).dispatch(number=1)
            Fails.dispatch_many([{"number": 1}] * 20)
            meter.work()
            yield meter
        meter.close()
