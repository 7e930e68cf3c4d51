"""Fills a server with jobs in every state but active, to measure on.

`python -m benchmarks.seed --jobs 1000000 --url redis://127.0.0.1:6379/1` takes about a minute. What it writes is what
the same jobs would have left behind; the test of it lets the doctor look. The same number and seed give the same jobs.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dramatiq import Message
from flask import Flask
from redis import Redis

from flask_queue import FlaskQueue, JobState, Queue
from flask_queue.record import JobError
from flask_queue.store.codec import pack
from flask_queue.store.connect import make_client
from flask_queue.store.keys import QueueKeys
from flask_queue.store.state import STATES, StateRecord
from flask_queue.store.transitions import error_json, group_json

#: Queue → how many in a hundred jobs are its.
QUEUES = {"default": 40, "emails": 30, "reports": 20, "media": 10}
#: State → how many in a thousand.
SHARES = {
    JobState.WAITING: 250,
    JobState.DELAYED: 100,
    JobState.COMPLETED: 540,
    JobState.FAILED: 100,
    JobState.CANCELLED: 10,
}
NAMES = ("SendWelcomeEmail", "SendInvoice", "RenderThumbnail", "ImportOrders", "SyncCustomer", "BuildReport")
CITIES = ("New York", "Zürich", "München", "São Paulo", "東京", "Bath", "Łódź", "Reykjavík")
#: Kinds of errors.
KINDS = 50
DAY_MS = 86_400_000
#: Jobs that are written in one round trip.
BATCH = 1000
#: Between the scores of two priorities, see lua/includes/push.lua.
LEVEL = 2**44
WORKER = "web-1:4711:5c1e"
#: Nothing that was made is trimmed, should workers run.
SETTINGS = {"QUEUE_KEEP_COMPLETED": 10**8, "QUEUE_KEEP_FAILED": 10**8}


def make_app(url: str, **settings: Any) -> tuple[Flask, FlaskQueue]:
    """An app that has these queues."""
    app = Flask("seeded")
    app.config.update({"QUEUE_REDIS_URL": url, **SETTINGS, **settings})
    return app, FlaskQueue(app, queues=[Queue(name) for name in QUEUES])


@dataclass
class Batch:
    """Jobs of one queue, as the writes that store them."""

    keys: QueueKeys
    hashes: dict[str, dict[str, bytes | str]] = field(default_factory=lambda: defaultdict(dict))
    sets: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    waiting: list[str] = field(default_factory=list)

    def write(self, client: Redis) -> None:
        """Store them. Redis: one round trip."""
        with client.pipeline(transaction=False) as pipeline:
            for name, fields in self.hashes.items():
                pipeline.hset(self.keys[name], mapping=fields)  # type: ignore[arg-type]
            for name, members in self.sets.items():
                pipeline.zadd(self.keys[name], members)
            if self.waiting:
                pipeline.rpush(self.keys["waiting"], *self.waiting)
            pipeline.execute()


class Seeder:
    """Makes jobs.

    Args:
        now_ms: by Redis's clock.
        chance: makes the choices.
    """

    def __init__(self, now_ms: int, chance: random.Random) -> None:
        self._now_ms = now_ms
        self._chance = chance
        self._sequence = 0

    def add(self, batch: Batch, state: JobState, number: int, large: int = 0) -> None:
        """One job more; `large` makes its payload about so many bytes longer."""
        local_id = base64.b64encode(self._chance.randbytes(12), b"xy").decode()
        name = NAMES[number % len(NAMES)]
        payload = {
            "user_id": number,
            "email": f"user{number}@example.com",
            "city": CITIES[number % len(CITIES)],
            "user": {"plan": "free" if number % 3 else "paid", "api_key": f"secret-{number}"},
            "text": "Lorem ipsum dolor sit amet. " * 3 + "x" * large,
        }
        batch.hashes["jobs"][local_id] = pack(Message(batch.keys.queue, name, (), payload, {}, local_id))
        record = self._record(batch, state, number, local_id)
        if number % 10 == 0:
            self._tag(batch, local_id, record, ["vip", f"user:{number % 1000}"])
            record = record._replace(flags="g")
        batch.hashes["state"][local_id] = " ".join(map(str, record))

    def _record(self, batch: Batch, state: JobState, number: int, local_id: str) -> StateRecord:
        letter = next(letter for letter, each in STATES.items() if each is state)
        created_ms = self._now_ms - self._chance.randrange(60_000, DAY_MS)
        record = StateRecord(letter, "-", "-", 0, 0, 0, 0, created_ms, 0, 0, 0, 0, "-", "")
        match state:
            case JobState.WAITING:
                return self._wait(batch, number, local_id, record)
            case JobState.DELAYED:
                record = record._replace(due_ms=self._now_ms + self._chance.randrange(3_600_000, 7 * DAY_MS))
                batch.sets["delayed"][local_id] = record.due_ms
                return record
        finished_ms = created_ms + self._chance.randrange(50_000)
        record = record._replace(finished_ms=finished_ms)
        batch.sets[state.value][local_id] = finished_ms
        if state is JobState.CANCELLED:
            return self._list_name(batch, number, local_id, record, "-")
        runtime_ms = self._chance.randrange(1, 2000)
        record = record._replace(attempts=1, number=1, worker=WORKER, runtime_ms=runtime_ms)
        record = record._replace(started_ms=finished_ms - runtime_ms)
        if state is JobState.COMPLETED:
            return record._replace(result='{"sent":true}')
        return self._fail(batch, number, local_id, record)

    def _wait(self, batch: Batch, number: int, local_id: str, record: StateRecord) -> StateRecord:
        priority = {0: 10, 1: -5}.get(number % 40, 0)
        if priority == 0:
            batch.waiting.append(local_id)
            return record
        self._sequence += 1
        batch.sets["prioritized"][local_id] = -priority * LEVEL + self._sequence
        batch.hashes["meta"]["sequence"] = str(self._sequence)
        return record._replace(priority=priority)

    def _fail(self, batch: Batch, number: int, local_id: str, record: StateRecord) -> StateRecord:
        kind = self._chance.randrange(KINDS)
        message = f"host {kind}.example.com did not answer for user {number}"
        place = f"shop/jobs.py:{NAMES[kind % len(NAMES)]}.step_{kind}"
        traceback = "Traceback (most recent call last):\n" + '  File "shop/jobs.py", line 7, in step\n' * 8
        error = JobError(f"Kind{kind}Error", message, traceback, place)
        group = group_json(error)
        fingerprint = hashlib.sha1(group.encode(), usedforsecurity=False).hexdigest()[:12]
        run = {"number": 1, "outcome": "failed", "started_at": record.started_ms, "finished_at": record.finished_ms}
        head = json.dumps({**run, "worker": WORKER}, separators=(",", ":"))[:-1]
        batch.hashes["attempts"][local_id] = f'{head},"error":{error_json(error)}}}'
        batch.hashes["errors"][fingerprint] = group
        batch.sets[f"by:error:{fingerprint}"][local_id] = record.finished_ms
        return self._list_name(batch, number, local_id, record, fingerprint)

    def _list_name(
        self, batch: Batch, number: int, local_id: str, record: StateRecord, fingerprint: str
    ) -> StateRecord:
        name = NAMES[number % len(NAMES)]
        batch.sets[f"by:name:{name}"][local_id] = record.finished_ms
        return record._replace(result=f"{fingerprint} {name}")

    def _tag(self, batch: Batch, local_id: str, record: StateRecord, tags: list[str]) -> None:
        batch.hashes["tags"][local_id] = "\n".join(tags)
        for tag in tags:
            batch.sets[f"by:tag:{tag}"][local_id] = record.created_ms


def seed(client: Redis, jobs: int, *, prefix: str = "flask-queue", number: int = 1, large: int = 0) -> None:
    """Store so many jobs, and of each queue one in each state whose payload is `large` bytes long, if that is not 0."""
    seconds, micros = client.time()
    seeder = Seeder(seconds * 1000 + micros // 1000, random.Random(number))
    numbers = iter(range(10 * jobs + 1000))
    for queue, state, count in _parts(jobs):
        keys = QueueKeys(prefix, queue)
        for start in range(0, count, BATCH):
            batch = Batch(keys)
            for _ in range(min(BATCH, count - start)):
                seeder.add(batch, state, next(numbers))
            batch.write(client)
        if large:
            batch = Batch(keys)
            seeder.add(batch, state, next(numbers), large)
            batch.write(client)


def _parts(jobs: int) -> Iterator[tuple[str, JobState, int]]:
    """How many of which state each queue gets."""
    for queue, percent in QUEUES.items():
        for state, share in SHARES.items():
            yield queue, state, jobs * percent * share // 100_000


def main() -> None:
    """Seed the server that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--jobs", type=int, default=1_000_000, help="how many, about")
    parser.add_argument("--url", required=True, help="of the server; other data there is left alone")
    parser.add_argument("--prefix", default="flask-queue", help="as QUEUE_PREFIX")
    parser.add_argument("--seed", type=int, default=1, help="of the choices")
    parser.add_argument("--large", type=int, default=0, help="bytes of one long payload in each queue and state")
    given = parser.parse_args()
    started_s = time.monotonic()
    with make_client(given.url, timeout_s=60) as client:
        seed(client, given.jobs, prefix=given.prefix, number=given.seed, large=given.large)
        memory: Any = client.info("memory")
    print(f"{given.jobs:,} jobs in {time.monotonic() - started_s:.0f} s, {memory['used_memory_human']}")


if __name__ == "__main__":
    main()
