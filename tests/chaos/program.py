"""The app of a chaos session, and its jobs: each does what its payload says, and writes a journal of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

from flask import Flask

from flask_queue import Fail, FlaskQueue, Job, Queue, RateLimit, Release
from flask_queue.current import current_run
from flask_queue.delivery import Delivery

LEASE_S = 2.0
#: SIGTERM to exit; long jobs are interrupted after half of it.
SHUTDOWN_S = 6.0
MAX_RETRIES = 3
MAX_RUNNING = 2
RATE = RateLimit(20, per_s=2)
#: Seconds between two looks of a job at its clock and at its cancellation.
STEP_S = 0.01


class Plan(TypedDict, total=False):
    """What a job is to do: its payload."""

    #: How long each run takes.
    seconds: float
    #: So many attempts raise an error.
    failures: int
    #: And then it ends for good with an error that is not retried.
    fails: bool
    #: Runs up to this number give themselves back.
    releases: int
    #: It ends when it sees that it was cancelled.
    heeds: bool


class Proof(TypedDict):
    """A job's result: which run made it."""

    number: int
    worker: str


def write(event: str, run: Delivery, how: str = "-") -> None:
    """Append a line to the journal, whole and at once, whatever happens to this process next."""
    words = (event, run.job_id, run.number, run.worker, os.getpid(), run.claimed_ms, time.time_ns(), how)
    journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, (" ".join(map(str, words)) + "\n").encode())
    os.close(journal)


@contextmanager
def journaled() -> Iterator[Delivery]:
    """Tell of the beginning and the end of this run."""
    run = current_run()
    assert run is not None
    write("start", run)
    how = "completed"
    try:
        yield run
    except BaseException as error:
        how = type(error).__name__
        raise
    finally:
        write("end", run, how)


def judge(run: Delivery, failures: int, fails: bool, releases: int) -> Proof:
    """End as planned."""
    if run.number <= releases:
        raise Release(delay_s=0.05)
    if run.attempt <= failures:
        raise RuntimeError("planned")
    if fails:
        raise Fail("planned")
    return {"number": run.number, "worker": run.worker}


class Planned(Job):
    """Sleeps, and ends as planned."""

    @staticmethod
    def tags(failures: int, fails: bool, **_: object) -> list[str]:
        """None for most of them."""
        return [f"failures:{failures}", "planned"] if failures or fails else []

    def handle(
        self, seconds: float = 0, failures: int = 0, fails: bool = False, releases: int = 0, heeds: bool = True
    ) -> Proof | None:
        with journaled() as run:
            until_s = time.monotonic() + seconds
            while time.monotonic() < until_s:
                time.sleep(STEP_S)
                if heeds and self.cancelled:
                    return None
            return judge(run, failures, fails, releases)


class Limited(Planned):
    queue_name = "limited"


class Rated(Planned):
    queue_name = "rated"


class Single(Planned):
    queue_name = "single"
    unique_for_s = 3600


class Awaited(Job):
    """The same as a coroutine."""

    async def handle(self, seconds: float = 0, failures: int = 0, fails: bool = False, releases: int = 0) -> Proof:
        with journaled() as run:
            await asyncio.sleep(seconds)
            return judge(run, failures, fails, releases)


queue = FlaskQueue(
    queues=[
        Queue("default", concurrency=4),
        Queue("limited", concurrency=2, max_running=MAX_RUNNING),
        Queue("rated", concurrency=2, rate_limit=RATE),
        Queue("single", concurrency=2),
    ],
    jobs=[Planned, Limited, Rated, Single, Awaited],
)


def create_app() -> Flask:
    """Where Redis is comes from the environment."""
    app = Flask(__name__)
    app.config.update(
        QUEUE_LEASE_S=LEASE_S,
        QUEUE_SHUTDOWN_TIMEOUT_S=SHUTDOWN_S,
        QUEUE_MAX_RETRIES=MAX_RETRIES,
        QUEUE_BACKOFF=[0.05, 0.2, 0.5],
        # All of it is evidence.
        QUEUE_KEEP_COMPLETED=1_000_000,
        QUEUE_KEEP_FAILED=1_000_000,
    )
    queue.init_app(app)
    return app
