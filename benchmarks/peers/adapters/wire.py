"""The client side of an adapter: requests in, answers out, one JSON object a line.

| verb | arguments | does, answers |
|---|---|---|
| about | | `pending`: Lua that counts what is not settled yet; `versions` |
| enqueue | job, n | sends one after the other: `seconds`, `cpu_s` |
| enqueue_bulk | job, n | sends with as few calls as the peer allows: the same, or null where it has no such call |
| enqueue_delayed | n | sends jobs that are due in an hour; null where there is no such thing |
| mark | job, n | sends jobs that write their latency down |
| pace | per_s, seconds | sends evenly; the first of each tick writes its latency down: `sent`, `marked`, `seconds` |
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from handlers import now_us

URL = os.environ["BENCH_URL"]
#: The first is `bench`; the others are only listened on.
QUEUES = ["bench", "idle1", "idle2"][: int(os.environ.get("BENCH_QUEUES", "1"))]
THREADS = 8
HOUR_S = 3600
TICK_S = 0.01


class Client:
    """What a peer's adapter says about it; `send` and `send_many` take the latency argument of each job."""

    packages = ()
    pending = ""

    def send(self, job, sent_us):
        raise NotImplementedError  # of each peer

    #: Or None.
    send_many = None
    send_delayed = None

    def send_all(self, job, values):
        for value in values:
            self.send(job, value)

    def delay_all(self, count):
        for _ in range(count):
            self.send_delayed()

    # -- verbs

    def about(self):
        return {"pending": self.pending, "versions": versions("redis", "hiredis", *self.packages)}

    def enqueue(self, job, n):
        return timed(lambda: self.send_all(job, [0] * n))

    def enqueue_bulk(self, job, n):
        return self.send_many and timed(lambda: self.send_many(job, [0] * n))

    def enqueue_delayed(self, n):
        return self.send_delayed and timed(lambda: self.delay_all(n))

    def mark(self, job, n):
        self.send_all(job, [now_us() for _ in range(n)])
        return {}

    def pace(self, per_s, seconds):
        started = time.monotonic()
        sent = marked = 0
        while (now := time.monotonic()) < started + seconds:
            due = int((now - started) * per_s) + 1 - sent
            if due > 0:
                values = [now_us()] + [0] * (due - 1)
                (self.send_many or self.send_all)("nothing", values)
                sent, marked = sent + due, marked + 1
            time.sleep(TICK_S)
        return {"sent": sent, "marked": marked, "seconds": time.monotonic() - started}


class AsyncClient(Client):
    """The same for a client whose calls are coroutines: `send`, `send_delayed`, and `start`."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self.start())

    async def start(self):
        pass

    def send_all(self, job, values):
        async def sending():
            for value in values:
                await self.send(job, value)

        self.loop.run_until_complete(sending())

    def delay_all(self, count):
        async def sending():
            for _ in range(count):
                await self.send_delayed()

        self.loop.run_until_complete(sending())


def timed(work):
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}


def versions(*names):
    found = {"python": sys.version.split()[0]}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def serve(client):
    """Answer until there are no more requests. Nothing else may be printed there."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(client, request.pop("verb"))(**request)
        print(json.dumps(answer), file=answers, flush=True)
