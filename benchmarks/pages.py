"""How long the dashboard's pages take on what `benchmarks.seed` made: `python -m benchmarks.pages --url URL`.

Prints for each page the median and the 95th percentile of the server's time for a request, its commands, and its size.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from benchmarks.seed import make_app
from flask_queue import JobState
from flask_queue.store.connect import make_client

HOME = "/admin/queues/"
#: Requests of each page.
ROUNDS = 40


@dataclass(frozen=True, slots=True)
class Timing:
    """What a page took; milliseconds."""

    path: str
    median_ms: float
    p95_ms: float
    #: Sent to Redis by a request; what scripts call is not among them.
    commands: int
    size_bytes: int


def open_app(url: str) -> Flask:
    """The app whose pages are timed, open to everybody."""
    app, _ = make_app(url, SECRET_KEY="of no importance", TESTING=True)
    return app


def paths(visitor: FlaskClient) -> Iterator[str]:
    """Every page; a job of each state, second pages of lists, and what is read through an index."""
    yield from ("", "?range=24h", "?range=7d", "failures/", "queue/", "queue/default/?range=7d", "workers/", "audit/")
    yield from ("about/", "metrics", "jobs/", "jobs/?queue=emails", "jobs/?search=tag:vip", "jobs/?since=24h")
    for state in JobState:
        listing = f"jobs/?state={state}"
        page = visitor.get(HOME + listing).text
        yield listing
        if following := re.search(r'rel="next" href="([^"]+)"', page):
            yield following[1].replace("&amp;", "&").removeprefix(HOME)
        if job := re.search(r'name="rowid" value="([^"]+)"', page):
            yield f"jobs/{job[1]}/"
    if group := re.search(r'href="[^"]*(jobs/\?state=failed&amp;error=[^"]+)"', visitor.get(f"{HOME}failures/").text):
        yield group[1].replace("&amp;", "&")
    for action in ("retry", "delete", "cancel"):
        yield f"jobs/bulk/?action={action}"


def measure(visitor: FlaskClient, client: Redis, path: str, rounds: int = ROUNDS) -> Timing:
    """Time a page."""
    size = len(fetch(visitor, path))
    commands = sent(client, visitor, path)
    times_ms = sorted(clocked_ms(visitor, path) for _ in range(rounds))
    return Timing(path, statistics.median(times_ms), times_ms[int(0.95 * rounds)], commands, size)


def fetch(visitor: FlaskClient, path: str) -> bytes:
    """The page."""
    answer = visitor.get(HOME + path)
    assert answer.status_code == 200, (path, answer.status)
    return bytes(answer.data)


def clocked_ms(visitor: FlaskClient, path: str) -> float:
    """How long a request takes."""
    started_s = time.perf_counter()
    fetch(visitor, path)
    return (time.perf_counter() - started_s) * 1000


def sent(client: Redis, visitor: FlaskClient, path: str) -> int:
    """How many commands a request sends to Redis."""
    with client.monitor() as monitor:
        fetch(visitor, path)
        client.echo("over")
        count = 0
        for command in monitor.listen():
            if command["command"] == "ECHO over":
                return count
            count += command["client_type"] != "lua" and not command["command"].startswith("HELLO")
    raise AssertionError("the monitor ended")


def main() -> None:
    """Measure on the server that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--url", required=True, help="of a server that benchmarks.seed has filled")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    visitor = open_app(given.url).test_client()
    print(f"{'page':60} {'median':>8} {'p95':>8} {'commands':>8} {'KiB':>6}")
    with make_client(given.url, timeout_s=60) as client:
        for path in paths(visitor):
            timing: Any = measure(visitor, client, path, given.rounds)
            print(
                f"{path[:60]:60} {timing.median_ms:6.1f}ms {timing.p95_ms:6.1f}ms {timing.commands:8} "
                f"{timing.size_bytes / 1024:6.0f}"
            )
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
