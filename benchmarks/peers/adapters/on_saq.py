"""saq: `saq on_saq.settings`. Its handlers are coroutines."""

import asyncio
import time

import handlers
import wire
from saq import Queue


async def nothing(ctx, *, sent_us):
    handlers.note(sent_us)


async def nap(ctx, *, sent_us):
    handlers.note(sent_us)
    await asyncio.sleep(handlers.NAP_S)


async def spin(ctx, *, sent_us):
    handlers.spin(sent_us)


async def fails(ctx, *, sent_us):
    handlers.fails(sent_us)


queue = Queue.from_url(wire.URL, name="bench")
settings = {"queue": queue, "functions": [nothing, nap, spin, fails], "concurrency": wire.THREADS}


class Client(wire.AsyncClient):
    packages = ("saq",)
    pending = "return redis.call('LLEN', 'saq:bench:queued') + redis.call('LLEN', 'saq:bench:active')"

    async def send(self, job, sent_us):
        await queue.enqueue(job, sent_us=sent_us)

    async def send_delayed(self):
        await queue.enqueue("nothing", sent_us=0, scheduled=time.time() + wire.HOUR_S)


if __name__ == "__main__":
    wire.serve(Client())
