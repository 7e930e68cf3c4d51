"""Stock dramatiq with its Redis broker: `dramatiq on_dramatiq -p N -t 8`."""

import dramatiq
import handlers
import wire
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=wire.URL)
dramatiq.set_broker(broker)

JOBS = {name: dramatiq.actor(getattr(handlers, name), queue_name="bench") for name in ("nothing", "nap", "spin")}
JOBS["fails"] = dramatiq.actor(handlers.fails, queue_name="bench", max_retries=0)
for name in wire.QUEUES[1:]:
    dramatiq.actor(handlers.nothing, actor_name=name, queue_name=name)


class Client(wire.Client):
    packages = ("dramatiq",)
    pending = "return redis.call('HLEN', 'dramatiq:bench.msgs')"

    def send(self, job, sent_us):
        JOBS[job].send(sent_us)

    def send_delayed(self):
        JOBS["nothing"].send_with_options(args=(0,), delay=wire.HOUR_S * 1000)


if __name__ == "__main__":
    wire.serve(Client())
