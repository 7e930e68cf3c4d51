"""An app with a broker whose store only remembers: for tests of what happens before Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from flask import Flask

from flask_queue.batches import NewJob
from flask_queue.broker import QueueBroker
from flask_queue.config import Config, Queue
from flask_queue.current import BROKER_KEY
from flask_queue.job import Job
from flask_queue.record import JobRecord
from flask_queue.registry import check_jobs, declare
from flask_queue.store.store import Store
from flask_queue.store.transitions import Batch, NewEntry


class MemoryStore:
    """Remembers what was to be stored."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def enqueue(self, queue: str, entries: Sequence[NewEntry]) -> tuple[int, dict[int, Any]]:
        """Every id is new."""
        self.calls.append(("enqueue", queue, len(entries)))
        return 1_000_000, {}

    def enqueue_each(self, batches: Iterable[Batch]) -> Iterator[tuple[int, dict[int, Any]]]:
        """As `enqueue`."""
        return (self.enqueue(*batch) for batch in batches)

    def progress(self, *arguments: Any) -> bool:
        """Remember."""
        self.calls.append(("progress", *arguments))
        return True

    def log(self, *arguments: Any) -> bool:
        """Remember."""
        self.calls.append(("log", *arguments))
        return True


class RecordingBroker(QueueBroker):
    """Keeps the jobs that were dispatched."""

    jobs: list[NewJob]

    def dispatch(self, jobs: Iterable[NewJob]) -> list[JobRecord]:
        """Remember, then go on as usual."""
        jobs = list(jobs)
        self.jobs = [*getattr(self, "jobs", ()), *jobs]
        return super().dispatch(jobs)


def make_broker(*jobs: type[Job], **config: Any) -> RecordingBroker:
    """A broker with the queues `default` and `emails`, and these jobs."""
    queues = {"default": Queue("default"), "emails": Queue("emails")}
    broker = RecordingBroker(Config(queues=queues, **config), cast(Store, MemoryStore()), middleware=[])
    faults = check_jobs(jobs, queues=broker.queues, actors=broker.actors)
    assert not faults, faults
    for job in jobs:
        declare(broker, job)
    return broker


@contextmanager
def app_with(*jobs: type[Job], **config: Any) -> Iterator[RecordingBroker]:
    """The context of an app that has these jobs; gives its broker."""
    app = Flask("shop")
    broker = app.extensions[BROKER_KEY] = make_broker(*jobs, **config)
    with app.app_context():
        yield broker
