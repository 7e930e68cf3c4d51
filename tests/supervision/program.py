"""The application whose worker processes are watched: copied to `app.py`, where Flask finds it."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import signal
import time
from pathlib import Path

from flask import Flask

from flask_queue import FlaskQueue, Job, Queue

#: Keeps what jobs take for good.
hoard: list[bytearray] = []


def write(line: str) -> None:
    """Append a line to the journal, whole and at once, whatever happens to this process next."""
    journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, f"{line} {os.getpid()}\n".encode())
    os.close(journal)


class Nap(Job):
    """A sleep that ends early where it is interrupted."""

    def handle(self, name: str, seconds: float = 0) -> int:
        write(f"start {name}")
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            time.sleep(0.01)
        write(f"end {name}")
        return os.getpid()


class Blocked(Job):
    """One call that nothing can interrupt."""

    timeout_s = 0.5

    def handle(self, seconds: float) -> None:
        write("start blocked")
        time.sleep(seconds)


class Loop(Job):
    """Pure Python, without a pause."""

    def handle(self, seconds: float) -> None:
        write("start loop")
        until_s, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < until_s:
            rounds += 1


class Backtrack(Job):
    """One match that keeps the interpreter lock for minutes or hours, were it not for its limit of characters."""

    def handle(self, length: int) -> float:
        write("start backtrack")
        started_s = time.monotonic()
        re.match("(a+)+b", "a" * length)
        return time.monotonic() - started_s


class Stick(Job):
    """Keeps the interpreter lock for good, in its first run."""

    timeout_s = 1

    def handle(self) -> str:
        was_here = "start stick" in Path(os.environ["JOURNAL"]).read_text()
        write("start stick")
        if not was_here:
            ctypes.PyDLL(None).sleep(3600)
        return "free"


class Grow(Job):
    """Takes memory and keeps it."""

    def handle(self, mb: int) -> int:
        hoard.append(bytearray(b"x") * (mb << 20))
        return os.getpid()


class Crash(Job):
    """Takes its process along, once."""

    max_retries = 0

    def handle(self, name: str) -> None:
        was_here = f"start {name}" in Path(os.environ["JOURNAL"]).read_text()
        write(f"start {name}")
        if not was_here:
            os.kill(os.getpid(), signal.SIGKILL)


class Speak(Job):
    """Logs from a thread, and fails once."""

    backoff = (0.01,)

    def handle(self) -> None:
        logging.getLogger("app.jobs").warning("said %s", "é\x1b[31m")
        if self.attempt == 1:
            raise ValueError("no")


class SpeakAsync(Job):
    """Logs from the event loop."""

    async def handle(self) -> None:
        logging.getLogger("app.jobs").warning("said in a loop")


class Fork(Job):
    """Leaves a copy of its process behind, with all that this one has open."""

    def handle(self) -> None:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)


class Tell(Job):
    """What its module and its environment say: other texts where these were changed."""

    def handle(self) -> list[str]:
        return ["old code", os.environ.get("GREETING", "none")]


queue = FlaskQueue(
    queues=[Queue("default", concurrency=2), Queue("other", concurrency=1), Queue("more", concurrency=1)],
    jobs=[Nap, Blocked, Loop, Backtrack, Stick, Grow, Crash, Fork, Speak, SpeakAsync, Tell],
)


def create_app() -> Flask:
    """Where Redis is, and the rest, comes from the environment. A file named `broken` makes it fail."""
    if Path("broken").exists():
        raise RuntimeError("broken for a test")
    app = Flask(__name__)
    queue.init_app(app)
    return app
