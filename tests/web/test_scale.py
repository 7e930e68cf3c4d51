"""Every page of the dashboard over a million jobs: how long the server takes, and how often it asks Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.pages import Timing, measure, open_app, paths
from benchmarks.seed import seed
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = 1_000_000
MEDIAN_MS, P95_MS = 300, 600
COMMANDS = 25
#: Of a page, with the chart's tables and the excerpts of payloads.
KIB = 256


@pytest.fixture(scope="module")
def timings() -> Iterator[list[Timing]]:
    """What each page took, one with a payload of 3 MB among them."""
    with RedisServer() as server, server.client() as client:
        seed(client, JOBS, large=3_000_000)
        visitor = open_app(server.url).test_client()
        yield [measure(visitor, client, path) for path in paths(visitor)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pages_at_a_million_jobs(timings: list[Timing], capsys: pytest.CaptureFixture[str]) -> None:
    """At most 300 ms at the median, 600 at the 95th percentile, and 25 commands; and no page is long."""
    with capsys.disabled():
        print(f"\npages over {JOBS:,} jobs: median, 95th percentile, commands, KiB")
        for each in timings:
            size_kib = each.size_bytes / 1024
            print(f"{each.path[:50]:50} {each.median_ms:6.1f} {each.p95_ms:6.1f} {each.commands:3} {size_kib:5.0f}")
    assert len(timings) > 25
    assert {each.path: each.median_ms for each in timings if each.median_ms > MEDIAN_MS} == {}
    assert {each.path: each.p95_ms for each in timings if each.p95_ms > P95_MS} == {}
    assert {each.path: each.commands for each in timings if each.commands > COMMANDS} == {}
    assert {each.path: each.size_bytes for each in timings if each.size_bytes > 1024 * KIB} == {}


def test_a_page_asks_redis_as_often_however_many_jobs_there_are() -> None:
    """With 2,000 jobs and one of 3 MB: within the budget, and short."""
    with RedisServer() as server, server.client() as client:
        seed(client, 2000, large=3_000_000)
        visitor = open_app(server.url).test_client()
        seen = [measure(visitor, client, path, rounds=1) for path in paths(visitor)]
    assert len(seen) > 25
    assert {each.path: each.commands for each in seen if each.commands > COMMANDS} == {}
    assert {each.path: each.size_bytes for each in seen if each.size_bytes > 1024 * KIB} == {}
