"""A shop with jobs of every kind and state, as an operator finds it on a bad day."""

from __future__ import annotations

import smtplib
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask_admin.base import Admin

from flask_queue import FlaskQueue, Job, Queue
from flask_queue.admin.views import QueueView
from flask_queue.current import broker_of
from flask_queue.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOME = "/admin/queues/"
#: Running thumbnails go on until this is set.
closing_time = threading.Event()


class SendWelcomeEmail(Job):
    """Fails for every ninth user, inside a library."""

    queue_name = "emails"
    max_retries = 0

    @staticmethod
    def tags(user_id: int, plan: str) -> list[str]:
        """The plan."""
        return [f"plan:{plan}"]

    def handle(self, user_id: int, *, plan: str = "free") -> dict[str, Any]:
        """Send it."""
        self.log(f"Sending to user {user_id}")
        if user_id % 9 == 8:
            smtplib.SMTP().sendmail("shop@example.org", ["user@example.org"], "Welcome")
        return {"message_id": f"<{user_id}@shop.example>", "plan": plan}


class ImportContacts(Job):
    """Fails twice before it succeeds, or for ever where the file is bad."""

    max_retries = 2
    backoff = (0,)

    def handle(self, upload: dict[str, Any], *, api_key: str = "sk-live-4711") -> int:
        """Import them."""
        for row in range(4):
            self.progress(row, 4)
            self.log(f"Row {row} of {upload['filename']}")
        if self.attempt < upload["good_from_attempt"]:
            raise ValueError(f"{upload['filename']}, line {self.attempt + 2}: no address")
        return 4


class SyncInventory(Job):
    """Fails where a warehouse is not known."""

    max_retries = 0

    def handle(self, warehouse: str) -> None:
        """Synchronise."""
        stock = {"Berlin": 12, "Zürich": 7}
        self.log(f"{stock[warehouse]} articles")


class MakeThumbnails(Job):
    """Runs until the shop closes."""

    queue_name = "images"

    def handle(self, image_id: int) -> None:
        """Work, and say how far it is."""
        self.progress(42, 100)
        self.log(f"Image {image_id}: 1600 by 1200")
        while not (self.cancelled or closing_time.wait(0.05)):
            pass


class BuildReport(Job):
    """Waits in a queue that is paused."""

    queue_name = "reports"

    def handle(self, month: str) -> None:
        """Build it."""


QUEUES = [
    Queue("default", concurrency=2),
    Queue("emails", concurrency=4),
    Queue("images", concurrency=1, max_running=4),
    Queue("reports", concurrency=1),
]
JOBS = [SendWelcomeEmail, ImportContacts, SyncInventory, MakeThumbnails, BuildReport]


def make_app(redis_url: str, *, queues: Sequence[Queue] = (), jobs: Sequence[type[Job]] = (), **settings: Any) -> Flask:
    """The shop, with a dashboard that is open, and with some more queues and jobs."""
    app = Flask("shop")
    app.config.update(SECRET_KEY="known to all tests", TESTING=True, QUEUE_REDIS_URL=redis_url)
    app.config.update(settings)
    admin = Admin(app, name="Shop")
    admin.add_view(QueueView())
    FlaskQueue(app, queues=[*QUEUES, *queues], jobs=[*JOBS, *jobs], admin=admin)
    return app


def fill(app: Flask) -> None:
    """Dispatch, run, and leave jobs of every state; those with an id of their own are what tests look at."""
    queue: FlaskQueue = app.extensions["queue"]
    with app.app_context():
        SendWelcomeEmail.dispatch_many([{"user_id": n, "plan": ("free", "pro")[n % 2]} for n in range(60)])
        SendWelcomeEmail.options(job_id="done").dispatch(user_id=1, plan="pro")
        SendWelcomeEmail.options(job_id="broken").dispatch(user_id=8, plan="pro")
        for name, good_from in (("march.csv", 1), ("april.csv", 3), ("may.csv", 9)):
            ImportContacts.options(job_id=name).dispatch({"filename": name, "good_from_attempt": good_from})
        SyncInventory.dispatch_many([{"warehouse": place} for place in ("Berlin", "Zürich", "Atlantis", "Atlantis")])
        run_all(app, {"default": 2, "emails": 4})
        MakeThumbnails.options(job_id="running").dispatch(image_id=1)
        MakeThumbnails.dispatch_many([{"image_id": n} for n in range(2, 14)])
        BuildReport.dispatch_many([{"month": f"2031-{n:02}"} for n in range(1, 13)])
        SendWelcomeEmail.options(job_id="later", delay_s=86_400).dispatch(user_id=2)
        queue.cancel(BuildReport.options(job_id="cancelled").dispatch(month="2030-12").id)
        queue.pause("reports", "The warehouse is being moved")


def run_all(app: Flask, queues: dict[str, int]) -> None:
    """Run what waits in these queues."""
    with working(app, queues, is_burst=True) as worker:
        assert worker.join(30), "the jobs were not done in time"


@contextmanager
def working(app: Flask, queues: dict[str, int], *, is_burst: bool = False) -> Iterator[Worker]:
    """A worker of these queues in this process."""
    worker = Worker(broker_of(app), queues, is_burst=is_burst)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
