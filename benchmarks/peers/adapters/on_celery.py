"""Celery: `celery -A on_celery worker --pool threads`."""

import handlers
import wire
from celery import Celery

app = Celery("bench", broker=wire.URL)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    task_default_queue="bench",
    broker_connection_retry_on_startup=True,
)

JOBS = {name: app.task(getattr(handlers, name), name=name) for name in ("nothing", "nap", "spin", "fails")}


class Client(wire.Client):
    packages = ("celery", "kombu")
    pending = "return redis.call('LLEN', 'bench') + redis.call('HLEN', 'unacked')"

    def send(self, job, sent_us):
        JOBS[job].delay(sent_us)

    def send_delayed(self):
        JOBS["nothing"].apply_async((0,), countdown=wire.HOUR_S)


if __name__ == "__main__":
    wire.serve(Client())
