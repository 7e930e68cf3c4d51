"""flask-queue: `flask --app on_flask_queue queue work`."""

import os

import handlers
import wire
from flask import Flask

from flask_queue import FlaskQueue, Job, Queue


class Nothing(Job):
    queue_name = "bench"

    def handle(self, sent_us: int) -> None:
        handlers.nothing(sent_us)


class Nap(Job):
    queue_name = "bench"

    def handle(self, sent_us: int) -> None:
        handlers.nap(sent_us)


class Spin(Job):
    queue_name = "bench"

    def handle(self, sent_us: int) -> None:
        handlers.spin(sent_us)


class Fails(Job):
    queue_name = "bench"
    max_retries = 0

    def handle(self, sent_us: int) -> None:
        handlers.fails(sent_us)


JOBS = {"nothing": Nothing, "nap": Nap, "spin": Spin, "fails": Fails}


def stock_middleware():
    """Dramatiq's own defaults, unmodified, after ours."""
    from dramatiq.middleware import default_middleware

    return default_middleware if os.environ.get("BENCH_STOCK_MIDDLEWARE") else []


app = Flask("bench")
app.config["QUEUE_REDIS_URL"] = wire.URL
queue = FlaskQueue(
    app,
    queues=[Queue(name, concurrency=wire.THREADS) for name in wire.QUEUES],
    jobs=JOBS.values(),
    middleware=stock_middleware(),
)


class Client(wire.Client):
    packages = ("flask-queue", "dramatiq", "flask")
    pending = """
        local function key(name) return '{flask-queue:bench}:' .. name end
        return redis.call('HLEN', key('state')) - redis.call('ZCARD', key('completed'))
            - redis.call('ZCARD', key('failed'))
    """

    def send(self, job, sent_us):
        JOBS[job].dispatch(sent_us=sent_us)

    def send_many(self, job, values):
        JOBS[job].dispatch_many([{"sent_us": value} for value in values])

    def send_delayed(self):
        Nothing.options(delay_s=wire.HOUR_S).dispatch(sent_us=0)


if __name__ == "__main__":
    with app.app_context():
        wire.serve(Client())
