"""What is measured on: a server that nobody else uses, an app, and jobs in one state."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Flask

from benchmarks.peers.server import Server
from flask_queue import FlaskQueue, Job, Queue
from flask_queue.outcome import Completed
from flask_queue.store.transitions import CycleReply, CycleRequest, Settlement

#: What one claim takes at most.
MOST = 256
#: Jobs of one call of dispatch_many: what it returns is held in memory.
CHUNK = 5_000
HOUR_S = 3_600
#: When the runs began that this process has seen (time.perf_counter).
RUNS: list[float] = []


class Nothing(Job):
    """Only notes that it ran."""

    queue_name = "queue0"

    def handle(self, number: int) -> None:
        """Take the tiny payload."""
        RUNS.append(time.perf_counter())


class Ground:
    """An app with some queues.

    Args:
        server: nobody else uses it.
        queues: how many.
        threads: of each.
        keep: completed jobs of each.
    """

    def __init__(self, server: Server, queues: int = 1, *, threads: int, keep: int = 10_000) -> None:
        self.server = server
        self.names = [f"queue{number}" for number in range(queues)]
        self.app = Flask("growth")
        self.app.config.update(
            QUEUE_REDIS_URL=server.url, QUEUE_KEEP_COMPLETED=keep, SECRET_KEY="of no importance", TESTING=True
        )
        declared = [Queue(name, concurrency=threads) for name in self.names]
        self.queue = FlaskQueue(self.app, queues=declared, jobs=[Nothing])

    def dispatch_one(self, number: int, delay_s: float = 0.0) -> None:
        """One job, to one queue after the other."""
        Nothing.options(queue_name=self.names[number % len(self.names)], delay_s=delay_s).dispatch(number=number)

    def dispatch_many(self, count: int, delay_s: float = 0.0) -> None:
        """Some jobs, as many to each queue."""
        for position, name in enumerate(self.names):
            options = Nothing.options(queue_name=name, delay_s=delay_s)
            share = len(range(position, count, len(self.names)))
            for start in range(0, share, CHUNK):
                options.dispatch_many([{"number": number} for number in range(start, min(share, start + CHUNK))])

    def fill(self, state: str, count: int) -> None:
        """Bring so many jobs into a state: `waiting`, `delayed` or `completed`."""
        if state == "delayed":
            # Due at many times, as jobs are; none while it is measured.
            chance = random.Random(1)
            for start in range(0, count, CHUNK):
                self.dispatch_many(min(CHUNK, count - start), delay_s=HOUR_S * chance.uniform(1, 24))
            return
        for start in range(0, count, CHUNK):
            self.dispatch_many(min(CHUNK, count - start))
            if state == "completed":
                self.work_by_hand(min(CHUNK, count - start), MOST)

    def work_by_hand(self, count: int, batch: int) -> None:
        """Claim and settle so many jobs of the first queue, as a worker does to which they are no work."""
        transitions, client = self.queue.broker.store.transitions, self.queue.broker.store.client
        settlements: Sequence[Settlement] = ()
        while count or settlements:
            want = min(batch, count)
            request = CycleRequest(self.names[0], want, want, settlements)
            [reply] = transitions.cycle(client, "hand", self.queue.broker.retention, [request])
            assert isinstance(reply, CycleReply), reply
            assert not reply.late
            count -= len(reply.claimed)
            settlements = [Settlement(job.local_id, job.state.number, 5, Completed()) for job in reply.claimed]
        transitions.leave(client, self.names[:1], "hand")


@contextmanager
def open_ground(server: Server, queues: int = 1, *, threads: int, keep: int = 10_000) -> Iterator[Ground]:
    """In its app's context; scripts are loaded and connections open."""
    ground = Ground(server, queues, threads=threads, keep=keep)
    with ground.app.app_context():
        ground.dispatch_many(2 * queues)
        ground.dispatch_one(0, delay_s=10 * 24 * HOUR_S)
        ground.work_by_hand(2, 1)
        yield ground
    ground.queue.broker.close()
