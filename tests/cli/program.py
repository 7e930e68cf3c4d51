"""The application whose commands are run in processes of their own: copied to `app.py`, where Flask finds it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask, current_app

from flask_queue import FlaskQueue, Job, Queue


class Add(Job):
    def handle(self, a: int, *, b: int = 2) -> int:
        self.log(f"adding {a}")
        return a + b


class Boom(Job):
    max_retries = 1
    backoff = (0,)

    def handle(self, token: str = "hush") -> None:
        raise ValueError("no \x1b[31mred")


class Echo(Job):
    def handle(self, data: Any) -> Any:
        self.log("got")
        self.log(repr(data) if data == "x" else str(data))
        return data


class Nap(Job):
    """Says that it runs by making a file; a sleep of that length cannot be interrupted."""

    queue_name = "emails"

    def handle(self, sign: str, seconds: float) -> None:
        Path(sign).touch()
        time.sleep(seconds)


class Where(Job):
    """Tells on how many threads its queue is served."""

    def handle(self) -> list[str]:
        current_app.logger.warning("said in a job")
        return sorted(
            thread.name for thread in threading.enumerate() if thread.name.startswith(("fq-default", "fq-emails"))
        )


class Collect(Job):
    """Tells how many objects garbage collection leaves alone, and whether it finds what this job leaves behind."""

    def handle(self) -> tuple[int, bool]:
        knot: list[object] = []
        knot.append(knot)
        del knot
        return gc.get_freeze_count(), gc.collect() > 0


class Start(Job):
    """Leaves a process behind."""

    def handle(self) -> int:
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid


queue = FlaskQueue(
    queues=[Queue("default", concurrency=2), Queue("emails", concurrency=1)],
    jobs=[Add, Boom, Collect, Echo, Nap, Where, Start],
)


@queue.actor()
def plain(x: int) -> None:
    """An actor that is no Job."""


def create_app() -> Flask:
    app = Flask(__name__)
    if "NO_QUEUE" not in os.environ:
        queue.init_app(app)
    if "BREAK_PUMP" in os.environ:
        _break_pump()

    @app.get("/add/<int:a>")
    def add(a: int) -> str:
        return Add.dispatch(a).id

    app.logger.info("made")
    return app


def _break_pump() -> None:
    from flask_queue.worker.pump import Pump

    def fail(self: Pump) -> None:
        raise RuntimeError("broken for a test")

    Pump._work = fail  # type: ignore[method-assign]
