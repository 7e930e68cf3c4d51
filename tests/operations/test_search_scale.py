"""Searches over 200,000 jobs: how long each call holds Redis up, how long the whole takes, and that all are found."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.listings import pages
from benchmarks.seed import make_app, seed
from flask_queue.monitor import Monitor
from tests.operations.test_scale import HOLD_MS, cpu_of
from tests.servers import KINDS, Kind, RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask_queue import FlaskQueue

JOBS = 200_000
#: Seconds of both processes' work for a search that finds nothing: 30 for a million jobs.
LONGEST_S = 30 * JOBS / 1_000_000
#: For the first answer, which is looked for during 0.7 s.
FIRST_S = 2.0


@pytest.fixture(scope="module", params=KINDS)
def seeded(request: pytest.FixtureRequest) -> Iterator[tuple[RedisServer, FlaskQueue]]:
    """A server of its own with so many jobs, inside the app's context."""
    kind: Kind = request.param
    with RedisServer(kind=kind) as server:
        with server.client() as client:
            seed(client, JOBS, large=3_000_000)
        app, queue = make_app(server.url)
        with app.app_context():
            yield server, queue
            queue.broker.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("search", "count"),
    [
        ("args.user_id:-1", 0),
        ("args.user_id:123456", 1),
        ("args.email:USER5@EXAMPLE.COM", 1),
        ('"no such text"', 0),
        ("secret-123456", 0),
        ("name:NoSuchJob", 0),
        ("error:NoSuchError", 0),
        ("state:failed args.user.plan:free", None),
        ("zürich state:delayed", None),
        ("tag:vip", JOBS // 10 + 2),
    ],
)
def test_a_search_of_many_jobs(
    seeded: tuple[RedisServer, FlaskQueue],
    search: str,
    count: int | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It answers soon, ends, finds each job once, and no call keeps the server busy for long."""
    server, queue = seeded
    monitor = Monitor(queue.broker)
    started_s, ours_s = time.monotonic(), time.process_time()
    with cpu_of(server, monkeypatch, only_reads=True) as spent:
        found = list(pages(monitor, monitor.query(search=search), limit=500, cut_bytes=1000))
    took_s, ours_s = time.monotonic() - started_s, time.process_time() - ours_s
    ids = [record.id for page, _ in found for record in page.records]
    with capsys.disabled():
        print(
            f"\n{server.kind}, {search}: {len(ids)} in {took_s:.1f} s, first {found[0][1]:.0f} ms, {len(spent)} calls, "
            f"median {statistics.median(spent):.2f} ms, longest {max(spent):.2f} ms"
        )
    assert len(ids) == len(set(ids))
    assert count is None or len(ids) == count
    assert max(spent) <= HOLD_MS
    assert found[0][1] <= 1000 * FIRST_S
    assert count != 0 or sum(spent) / 1000 + ours_s <= LONGEST_S


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("state", ["waiting", "delayed", "completed", "failed", "cancelled", None])
def test_pages_of_many_jobs(
    seeded: tuple[RedisServer, FlaskQueue], state: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is read in an instant, wherever it is; together they have each job once."""
    server, queue = seeded
    monitor = Monitor(queue.broker)
    counts = queue.counts()
    with cpu_of(server, monkeypatch, only_reads=True) as spent:
        found = list(pages(monitor, monitor.query(state=state), limit=1000, cut_bytes=1000))
    ids = [record.id for page, _ in found for record in page.records]
    expected = sum(number for states in counts.values() for each, number in states.items() if state in (None, each))
    assert len(ids) == len(set(ids)) == expected
    assert max(spent) <= HOLD_MS
