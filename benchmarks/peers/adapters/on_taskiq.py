"""taskiq on a Redis stream, which acknowledges: `taskiq worker on_taskiq:broker`. Its handlers are coroutines."""

import asyncio

import handlers
import wire
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(wire.URL, queue_name="bench")


@broker.task(task_name="nothing")
async def nothing(sent_us: int) -> None:
    handlers.note(sent_us)


@broker.task(task_name="nap")
async def nap(sent_us: int) -> None:
    handlers.note(sent_us)
    await asyncio.sleep(handlers.NAP_S)


@broker.task(task_name="spin")
async def spin(sent_us: int) -> None:
    handlers.spin(sent_us)


@broker.task(task_name="fails")
async def fails(sent_us: int) -> None:
    handlers.fails(sent_us)


JOBS = {"nothing": nothing, "nap": nap, "spin": spin, "fails": fails}


class Client(wire.AsyncClient):
    packages = ("taskiq", "taskiq-redis")
    pending = """
        local count = 0
        for _, group in ipairs(redis.call('XINFO', 'GROUPS', 'bench')) do
            for at = 1, #group, 2 do
                if group[at] == 'pending' or group[at] == 'lag' then count = count + (group[at + 1] or 0) end
            end
        end
        return count
    """

    async def start(self):
        await broker.startup()

    async def send(self, job, sent_us):
        await JOBS[job].kiq(sent_us)


if __name__ == "__main__":
    wire.serve(Client())
