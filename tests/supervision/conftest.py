"""Worker processes of an app, and the same app in this process to send them jobs and to look at them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import pytest
from flask import Flask

from flask_queue import JobRecord, JobState, WorkerInfo
from flask_queue.current import broker_of
from tests.cli.processes import CommandLine, Running
from tests.needs import require
from tests.store.checks import check_queue
from tests.supervision import program
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEASE_S = 2.0
#: Seconds that anything may take on a busy machine.
PATIENCE_S = 20.0


class Site:
    """An app whose workers are processes."""

    def __init__(self, app: Flask, commands: CommandLine, journal: Path) -> None:
        self.app = app
        self.commands = commands
        self._journal = journal
        self.queue = program.queue

    def work(self, *words: str, **settings: str) -> Running:
        """Start `flask queue work`, which may take a second until it claims."""
        return self.commands.start("queue", "work", *words, **settings)

    def journal(self, event: str) -> list[int]:
        """The processes that wrote of this event, in order."""
        lines = [line.rpartition(" ") for line in self._journal.read_text().splitlines()]
        return [int(pid) for what, _, pid in lines if what == event]

    def wait_for(self, event: str, times: int = 1) -> list[int]:
        """Wait until the journal tells of an event; the processes that wrote it."""
        wait_until(lambda: len(self.journal(event)) >= times, PATIENCE_S, what=f"{times} times {event!r}")
        return self.journal(event)

    def finished(self, job_id: str, timeout: float = PATIENCE_S) -> JobRecord:
        """The record of a job, once it is finished."""
        states = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
        wait_until(lambda: self.queue.get(job_id).state in states, timeout, what=f"{job_id} is finished")
        return self.queue.get(job_id)

    def workers(self, count: int) -> list[WorkerInfo]:
        """The living workers, once there are so many."""
        wait_until(lambda: len(self.queue.workers()) == count, PATIENCE_S, what=f"{count} workers")
        return self.queue.workers()

    def check(self) -> None:
        """Each job is in exactly one state."""
        broker = broker_of(self.app)
        check_queue(broker.store.client, broker.store.transitions.keys("default"))


@pytest.fixture
def site(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The app on the shared server; its processes end with the test."""
    journal = tmp_path / "journal"
    journal.touch()
    folder = tmp_path / "app"
    folder.mkdir()
    shutil.copy(program.__file__, folder / "app.py")
    settings = {"QUEUE_REDIS_URL": redis_url, "QUEUE_LEASE_S": f"{LEASE_S:g}"}
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    app = Flask("app", instance_path=str(tmp_path))
    program.queue.init_app(app)
    commands = CommandLine(folder, JOURNAL=str(journal), **settings)
    with app.app_context():
        yield Site(app, commands, journal)
    commands.close()
    broker_of(app).close()


def processes() -> Sequence[tuple[int, int, str]]:
    """Parent, id and command line of every process."""
    command = [require("ps"), "-A", "-ww", "-o", "ppid=,pid=,args="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
    return [(int(row[0]), int(row[1]), row[2] if len(row) > 2 else "") for row in rows]


def hearts(pid: int) -> list[int]:
    """The hearts that a process has started."""
    return [child for parent, child, args in processes() if parent == pid and "heart.py" in args]


def children(pid: int) -> list[int]:
    """The worker processes that a supervisor has started."""
    return [child for parent, child, args in processes() if parent == pid and "--leash" in args]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noticed does not."""
    state = subprocess.run([require("ps"), "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def rss_kib(pid: int) -> int:
    """The memory of a process."""
    done = subprocess.run([require("ps"), "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def probe(port: int, path: str) -> tuple[int, Any]:
    """Status and data of a health probe; 0 where nobody answers."""
    direct = build_opener(ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read()) if error.code == 503 else None
    except (URLError, ConnectionError):
        return 0, None
