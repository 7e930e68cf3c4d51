"""Worker processes of an app on a server of the test's own, and the same app in this process."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_queue import JobRecord, JobState
from flask_queue.current import broker_of
from tests.cli.processes import CommandLine, Running
from tests.faults.proxy import Proxy
from tests.servers import RedisServer
from tests.store.checks import check_queue
from tests.support import wait_until
from tests.worker import app as program
from tests.worker.app import Journaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEASE_S = 2.0
#: Besides `default`.
QUEUES = '{"other": 4}'
#: Once Redis is there again, workers go on within this; their first try may just have been in vain.
RESUME_S = 2.0
#: Seconds that anything may take on a busy machine.
PATIENCE_S = 20.0


class Site:
    """A server, an app on it in this process, and worker processes of the same app."""

    def __init__(self, server: RedisServer, folder: Path, contexts: ExitStack) -> None:
        self.server = server
        self.queue = program.queue
        self._folder = folder
        self._contexts = contexts
        self._journal = folder / "journal"
        self._journal.touch()
        shutil.copy(program.__file__, folder / "app.py")
        settings = {"JOURNAL": str(self._journal), "QUEUE_LEASE_S": f"{LEASE_S:g}", "QUEUES": QUEUES}
        self._commands = CommandLine(folder, **settings)
        contexts.callback(self._commands.close)
        self._app = self.app(server.url)
        contexts.enter_context(self._app.app_context())

    def app(self, url: str, **config: object) -> Flask:
        """The app on an address, to dispatch and to look."""
        app = Flask("app", instance_path=str(self._folder))
        app.config.update({"QUEUE_REDIS_URL": url, "QUEUE_LEASE_S": LEASE_S, "QUEUES": json.loads(QUEUES), **config})
        self.queue.init_app(app)
        self._contexts.callback(broker_of(app).close)
        return app

    def proxy(self) -> Proxy:
        """A network in front of the server."""
        return self._contexts.enter_context(Proxy(self.server.port))

    def work(self, *words: str, url: str = "", **settings: str) -> Running:
        """Start a worker process, and return once it works."""
        before = len(self.queue.workers())
        worker = self._commands.start("queue", "work", *words, QUEUE_REDIS_URL=url or self.server.url, **settings)
        wait_until(lambda: len(self.queue.workers()) > before, PATIENCE_S, what="a worker reports")
        return worker

    def journal(self, event: str) -> Counter[int]:
        """How often each job said that."""
        return Counter(int(number) for what, number, _ in self._lines() if what == event)

    def ends(self, worker: Running) -> int:
        """How many runs have ended in that process."""
        return sum(what == "end" and pid == str(worker.process.pid) for what, _, pid in self._lines())

    def begins(self, number: int) -> None:
        """Wait until a job runs."""
        wait_until(lambda: self.journal("start")[number], PATIENCE_S, what=f"job {number} starts")

    def goes_on(self, *workers: Running, within_s: float = RESUME_S) -> None:
        """Wait until each worker has ended one more run."""
        before = [self.ends(worker) for worker in workers]
        wait_until(
            lambda: all(self.ends(worker) > ends for worker, ends in zip(workers, before, strict=True)),
            within_s,
            what="each worker goes on",
        )

    def runs(self, number: int) -> None:
        """Wait until a job has run, soon: nothing keeps the workers."""
        wait_until(lambda: self.journal("end")[number], RESUME_S, what=f"job {number} has run")

    def completes(self, records: Sequence[JobRecord], *, timeout: float = PATIENCE_S) -> None:
        """Wait until all jobs are completed: each in one run, by its record and by the journal."""
        count = len(records)
        wait_until(lambda: self.count("completed") == count, timeout, what=f"{count} jobs are completed")
        for record in map(self.queue.get, (record.id for record in records)):
            assert record.state is JobState.COMPLETED
            assert (record.attempts, record.recoveries, len(record.history)) == (1, 0, 1), record
        numbers = [record.payload["number"] for record in records]
        assert self.journal("start") == self.journal("end") == Counter(numbers)
        self.check()

    def count(self, state: str) -> int:
        """How many jobs are in a state, over all queues."""
        return sum(counts[state] for counts in self.queue.counts().values())

    def check(self) -> None:
        """Each job is in exactly one state."""
        broker = broker_of(self._app)
        for queue in broker.queues:
            check_queue(broker.store.client, broker.store.transitions.keys(queue))

    def _lines(self) -> list[list[str]]:
        return [line.split() for line in self._journal.read_text().splitlines()]


def dispatch(count: int, seconds: float = 0.01, *, first: int = 0, queue: str = "default") -> list[JobRecord]:
    """Jobs that write into the journal, numbered."""
    numbers = range(first, first + count)
    options = Journaled.options(queue_name=queue)
    return options.dispatch_many([{"number": number, "seconds": seconds} for number in numbers])


def told(worker: Running) -> tuple[int, int]:
    """How often a worker has said that Redis is away, and that it is back."""
    assert worker.process.poll() is None, worker.printed
    assert "Traceback" not in worker.printed
    return worker.printed.count("Trying again until it is back"), worker.printed.count("Redis is back after")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """On a server that keeps what it has confirmed; its processes end with the test."""
    with RedisServer(tcp=True, appendonly=True) as server, ExitStack() as contexts:
        yield Site(server, tmp_path, contexts)
