"""RQ: `rq worker -w rq.SimpleWorker`."""

from datetime import timedelta

import handlers
import wire
from redis import Redis
from rq import Queue

queue = Queue("bench", connection=Redis.from_url(wire.URL))


class Client(wire.Client):
    packages = ("rq",)
    pending = """
        return redis.call('LLEN', 'rq:queue:bench') + redis.call('LLEN', 'rq:queue:bench:intermediate')
            + redis.call('ZCARD', 'rq:wip:bench')
    """

    def send(self, job, sent_us):
        queue.enqueue(getattr(handlers, job), sent_us)

    def send_many(self, job, values):
        queue.enqueue_many([Queue.prepare_data(getattr(handlers, job), (value,)) for value in values])

    def send_delayed(self):
        queue.enqueue_in(timedelta(seconds=wire.HOUR_S), handlers.nothing, 0)


if __name__ == "__main__":
    wire.serve(Client())
