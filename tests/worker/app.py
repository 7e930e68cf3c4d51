"""The app that worker processes of these tests run: `flask --app tests.worker.app queue work`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from flask import Flask

from flask_queue import FlaskQueue, Job, JobRecord, Queue, signals
from flask_queue.current import current_run


def write(line: str) -> None:
    """Append a line to the journal, whole and at once, whatever happens to this process next."""
    journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, f"{line}\n".encode())
    os.close(journal)


class Journaled(Job):
    """Says when it starts and ends."""

    def handle(self, number: int, seconds: float = 0) -> None:
        write(f"start {number} {os.getpid()}")
        time.sleep(seconds)
        write(f"end {number} {os.getpid()}")


class Claimed(Job):
    """Says when it was claimed, by Redis's clock."""

    def handle(self) -> None:
        run = current_run()
        assert run is not None
        write(f"claim {run.claimed_ms} {os.getpid()}")


class Poison(Job):
    """Takes its process with it, as a crash in a library or the kernel's memory killer would."""

    def handle(self) -> None:
        write(f"poison 0 {os.getpid()}")
        os.kill(os.getpid(), signal.SIGKILL)


class Punctual(Job):
    """Its record says how long it waited."""

    def handle(self) -> None:
        pass


class Told(Job):
    """Says when its hook is called. The first process dies there, or when its end is told, if it is to."""

    def handle(self, dies: str) -> None:
        self.dies = dies

    def on_completed(self, result: None) -> None:
        die_once("hook", self.dies)


def tell(app: Flask, record: JobRecord) -> None:
    """Says that a job has completed."""
    if record.name in ("Told", "Journaled"):
        die_once("told", str(record.payload.get("dies")))


def die_once(event: str, dies: str) -> None:
    journal = Path(os.environ["JOURNAL"])
    is_first = not journal.exists() or event not in journal.read_text()
    write(f"{event} 0 {os.getpid()}")
    if dies == event and is_first:
        os.kill(os.getpid(), signal.SIGKILL)


queue = FlaskQueue(queues=[Queue("default", concurrency=4)], jobs=[Journaled, Claimed, Poison, Punctual, Told])


def create_app() -> Flask:
    """Where Redis is, and the rest, comes from the environment."""
    app = Flask("worker_tests")
    # Not where tests import this module: receivers are the process's.
    signals.job_completed.connect(tell)
    queue.init_app(app)
    return app
