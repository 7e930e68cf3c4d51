"""How long listings and searches take on what `benchmarks.seed` made: `python -m benchmarks.listings --url URL`.

Prints for each state the time of a page, and for each search that of the first answer, of the whole scan, and what a
call of find.lua takes: by Redis's clock, and where the server is on this machine, of its processor.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from redis import Redis

from benchmarks.seed import make_app
from flask_queue import JobState
from flask_queue.monitor import Monitor
from flask_queue.query import Query
from flask_queue.record import Page
from flask_queue.store.connect import make_client

#: Pages of each state that are timed.
PAGES = 100
#: What a list on a page reads of a payload.
CUT_BYTES = 4096
SEARCHES = (
    "args.user_id:-1",
    "args.user_id:777777",
    '"no such text"',
    "zürcher",
    "name:NoSuchJob",
    "error:NoSuchError",
    "error:Kind7Error",
    "error:Kind7Error state:failed",
    "tag:user:70",
    "tag:vip args.user_id:-1",
    "id:zz",
    "state:failed name:SendInvoice args.city:東京",
    "secret-777777",
)


def pages(monitor: Monitor, query: Query, **options: Any) -> Iterator[tuple[Page, float]]:
    """Page after page, each with the milliseconds that it took."""
    cursor: str | None = None
    while True:
        started_s = time.perf_counter()
        page = monitor.page(query, cursor=cursor, **options)
        yield page, (time.perf_counter() - started_s) * 1000
        if (cursor := page.next_cursor) is None:
            return


def time_listings(monitor: Monitor) -> None:
    """Pages of 50, from the beginning of each listing on."""
    print(f"{'pages of 50':<45}{'median ms':>10}{'p95 ms':>10}{'of':>10}")
    for state in (None, *JobState):
        query = monitor.query(state=state)
        found = list(islice(pages(monitor, query, limit=50, cut_bytes=CUT_BYTES), PAGES))
        times = sorted(took_ms for _, took_ms in found)
        p95 = times[len(times) * 95 // 100 - 1]
        print(f"{state or 'all':<45}{statistics.median(times):>10.1f}{p95:>10.1f}{found[0][0].total:>10,}")


def time_searches(monitor: Monitor, client: Redis) -> None:
    """From the first page to the last."""
    head = f"{'first ms':>10}{'whole s':>10}{'found':>10}{'scanned':>10}{'calls':>8}{'ms each':>9}{'cpu':>7}"
    print(f"\n{'searches':<45}{head}")
    for search in SEARCHES:
        client.config_resetstat()
        before_ms = cpu_ms(client)
        times, records = [], 0
        for page, took_ms in pages(monitor, monitor.query(search=search), limit=50, cut_bytes=CUT_BYTES):
            times.append(took_ms)
            records += len(page.records)
        stats: Any = client.info("commandstats")
        calls = stats.get("cmdstat_evalsha", {"calls": 0, "usec": 0})
        each_ms = calls["usec"] / max(1, calls["calls"]) / 1000
        cpu = (cpu_ms(client) - before_ms) / max(1, calls["calls"])
        whole = f"{sum(times) / 1000:>10.2f}{records:>10,}{page.scanned:>10,}{calls['calls']:>8,}"
        print(f"{search:<45}{times[0]:>10.1f}{whole}{each_ms:>9.2f}{cpu:>7.2f}", flush=True)


def cpu_ms(client: Redis) -> float:
    """The milliseconds that the server has computed."""
    info: Any = client.info("server")
    try:
        return time.clock_gettime_ns(~int(info["process_id"]) << 3 | 2) / 1e6
    except OSError:
        return 0.0  # it is elsewhere


def main() -> None:
    """Measure on the server that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--url", required=True)
    given = parser.parse_args()
    app, queue = make_app(given.url)
    with app.app_context(), make_client(given.url, timeout_s=60) as client:
        monitor = Monitor(queue.broker)
        time_listings(monitor)
        time_searches(monitor, client)


if __name__ == "__main__":
    main()
