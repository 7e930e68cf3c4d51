"""An app with a worker of its own, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from dramatiq import Middleware
from flask import Flask

from flask_queue import FlaskQueue, Job, JobRecord, JobState, Queue
from flask_queue.current import broker_of
from flask_queue.store.transitions import Reaped
from flask_queue.worker import Worker
from tests.servers import RedisServer
from tests.store.driver import ANY_TIME_MS
from tests.support import wait_until

FINISHED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


class Bench:
    """One app on the shared server, inside its app context, and what tests do with it."""

    def __init__(
        self,
        url: str,
        queues: list[Queue],
        jobs: list[type[Job]],
        middleware: Iterable[Callable[[], Middleware]] = (),
        **config: Any,
    ) -> None:
        self.app = Flask("bench")
        self.app.config.update({"QUEUE_REDIS_URL": url, "QUEUE_BACKOFF": [0.01], **config})
        self.queue = FlaskQueue(self.app, queues=queues, jobs=jobs, middleware=middleware)
        self.broker = broker_of(self.app)

    @contextmanager
    def working(self, queues: dict[str, int] | None = None, *, is_burst: bool = False) -> Iterator[Worker]:
        """A worker that runs inside the block, and is stopped after it."""
        worker = Worker(self.broker, queues, is_burst=is_burst)
        worker.start()
        try:
            yield worker
        finally:
            assert worker.stop(), "a job thread has not ended"
            assert not worker.has_failed

    def run_all(self) -> None:
        """Work until nothing is left."""
        with self.working(is_burst=True) as worker:
            assert worker.join(20), "the burst does not end"

    def bury(self, *, max_recoveries: int = 3) -> Reaped:
        """Take a worker for dead, whether it lives or not."""
        reap, client = self.broker.store.transitions.reap, self.broker.store.client
        return reap(client, "default", lease_ms=-1000, max_recoveries=max_recoveries, by_ms=ANY_TIME_MS)

    def finished(self, job_id: str, timeout: float = 10) -> JobRecord:
        """The record of a job, once it is finished."""
        return self.reaches(job_id, *FINISHED, timeout=timeout)

    def reaches(self, job_id: str, *states: JobState, timeout: float = 10) -> JobRecord:
        """The record of a job, once it is in one of these states."""

        def record() -> JobRecord | None:
            found = self.queue.get(job_id)
            return found if found.state in states else None

        found = wait_until(record, timeout, what=f"{job_id} is {' or '.join(states)}")
        assert found is not None
        return found


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(redis_url: str) -> Iterator[MakeBench]:
    """Makes benches on the shared server; `url` is another one."""
    with ExitStack() as contexts:

        def make(*jobs: type[Job], queues: list[Queue] | None = None, url: str = redis_url, **config: Any) -> Bench:
            bench = Bench(url, queues or [Queue("default", concurrency=2)], list(jobs), **config)
            contexts.enter_context(bench.app.app_context())
            contexts.callback(bench.broker.close)
            return bench

        yield make


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may harm; it keeps its data."""
    with RedisServer(appendonly=True) as server:
        yield server
