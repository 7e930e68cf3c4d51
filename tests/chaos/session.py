"""A session: let it all loose for a while, heal everything, wait until all jobs are settled, and check."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from flask_queue import JobState, QueueUnavailable
from flask_queue.current import broker_of
from tests.chaos import program
from tests.chaos.checker import check
from tests.chaos.driver import Driver
from tests.chaos.faults import Chaos
from tests.chaos.fleet import Fleet
from tests.chaos.journal import Evidence, Notes, read_journal
from tests.chaos.summary import summarize
from tests.servers import RedisServer
from tests.store.checks import snapshot
from tests.support import wait_until

#: Seconds until all jobs are settled once everything is healed.
DRAIN_S = 90.0
UNSETTLED = ("waiting", "delayed", "active")


@dataclass
class Report:
    """What a session came to."""

    summary: str
    counts: Counter[str]
    #: Each is a broken promise.
    faults: list[str] = field(default_factory=list)


def run_session(seed: int, seconds: float, folder: Path) -> Report:
    """Run one; everything it leaves behind is in the folder.

    The server syncs every write, except where the seed is a multiple of 4: there it does so once a second.
    """
    is_lossy = seed % 4 == 0
    server = RedisServer(appendonly=True, options={"appendfsync": "everysec" if is_lossy else "always"})
    try:
        server.start()
        with (folder / "driver").open("w") as file, _app(server.url) as app:
            notes, fleet = Notes(file), Fleet(folder, server.url)
            statuses: list[int] = []
            try:
                drained_s = _rage(seed, seconds, fleet, server, notes)
            finally:
                statuses = fleet.end()
            evidence = collect(app, fleet.journal, notes, is_lossy=is_lossy)
    finally:
        shutil.copytree(server.folder, folder / "redis", ignore=shutil.ignore_patterns("*.sock"), dirs_exist_ok=True)
        server.close()
    faults = [*([drained_s] if isinstance(drained_s, str) else []), *check(evidence)]
    if any(statuses):
        faults.append(f"worker commands ended with {statuses}")
    text, counts = summarize(evidence, drained_s if isinstance(drained_s, float) else DRAIN_S)
    return Report(text, counts, faults)


@contextmanager
def _app(url: str) -> Iterator[Flask]:
    before = os.environ.get("QUEUE_REDIS_URL")
    os.environ["QUEUE_REDIS_URL"] = url
    try:
        app = program.create_app()
        with app.app_context():
            yield app
        broker_of(app).close()
    finally:
        if before is None:
            del os.environ["QUEUE_REDIS_URL"]
        else:
            os.environ["QUEUE_REDIS_URL"] = before


def _rage(seed: int, seconds: float, fleet: Fleet, server: RedisServer, notes: Notes) -> float | str:
    """Returns after how many seconds all jobs were settled, or what hangs."""
    driver = Driver(seed, notes)
    chaos = Chaos(seed, seconds, fleet, server, notes)
    try:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            driver.step()
    finally:
        chaos.join()
    fleet.replace_dead()
    driver.heal()
    healed_s = time.monotonic()
    try:
        wait_until(is_settled, DRAIN_S, interval=0.2, what="all jobs are settled")
    except AssertionError:
        return f"not settled within {DRAIN_S:g} s: {_what_hangs()}"
    return time.monotonic() - healed_s


def is_settled() -> bool:
    """Whether nothing waits, is delayed, or runs."""
    try:
        counts = program.queue.counts().values()
    except QueueUnavailable:
        return False
    return not any(each[state] for each in counts for state in UNSETTLED)


def _what_hangs() -> str:
    hanging = [record for state in UNSETTLED for record in program.queue.jobs(state=state, limit=20).records]
    workers = [(worker.id, [run.id for run in worker.running]) for worker in program.queue.workers()]
    return f"{program.queue.counts()}; {hanging}; paused {program.queue.paused()}; workers {workers}"


def collect(app: Flask, journal: Path, notes: Notes, *, is_lossy: bool = False) -> Evidence:
    """Read all that there is to see, inside the app's context."""
    broker = broker_of(app)
    keys = {queue: broker.store.transitions.keys(queue) for queue in broker.queues}
    snapshots = {queue: snapshot(broker.store.client, each) for queue, each in keys.items()}
    return Evidence(read_journal(journal), notes, snapshots, _listings(), is_lossy)


def _listings() -> dict[str, list[str]]:
    """In which states the public listings show each job."""
    shown: dict[str, list[str]] = {}
    for state in JobState:
        cursor: str | None = None
        while True:
            page = program.queue.jobs(state=state, limit=1000, cursor=cursor)
            for record in page.records:
                shown.setdefault(record.id, []).append(record.state.value)
            if (cursor := page.next_cursor) is None:
                break
    return shown


def make_folder(seed: int) -> Path:
    """A new folder for a session."""
    return Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
