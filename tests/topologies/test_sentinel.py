"""Redis behind Sentinels: the client follows the primary."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flask_queue import Job, QueueUnavailable
from flask_queue.store.connect import make_client
from tests.support import wait_until
from tests.topologies.failover import Beating, Traffic
from tests.topologies.sentinels import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.worker.conftest import MakeBench


class Add(Job):
    def handle(self, a: int) -> int:
        return a + 1


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    """For tests that leave all as it was."""
    with Watched() as watched:
        yield watched


def test_jobs_run_behind_sentinels(watched: Watched, make_bench: MakeBench) -> None:
    """The servers have one password, the Sentinels another."""
    bench = make_bench(Add, url=watched.url)
    with bench.working():
        assert bench.finished(Add.dispatch(1).id).result == 2


def test_a_dispatch_keeps_its_deadline_while_sentinels_hang(watched: Watched, make_bench: MakeBench) -> None:
    """Each is asked in turn, and all of them together get a part of the time."""
    make_bench(Add, url=watched.url, QUEUE_DISPATCH_TIMEOUT_S=1)
    for sentinel in watched.sentinels:
        sentinel.freeze()
    started_s = time.monotonic()
    try:
        with pytest.raises(QueueUnavailable) as info:
            Add.dispatch(1)
        assert time.monotonic() - started_s < 1.2
    finally:
        for sentinel in watched.sentinels:
            sentinel.thaw()
    assert "hush" not in str(info.value)
    assert "quiet-one" not in str(info.value)
    for part in ("main (Sentinels 127.0.0.1:", "QUEUE_REDIS_URL"):
        assert part in str(info.value)


def test_one_sentinel_is_enough(watched: Watched, make_bench: MakeBench) -> None:
    """Those before it in the address may be down or hang."""
    first, second, third = watched.sentinels
    url = watched.url.replace(f":{second.port}", ":1")
    make_bench(Add, url=url)
    first.freeze()
    try:
        assert Add.dispatch(1).state == "waiting"
    finally:
        first.thaw()
    assert third.pid


def test_a_service_that_the_sentinels_do_not_know(watched: Watched, make_bench: MakeBench) -> None:
    """The error says that its name is in the address."""
    make_bench(Add, url=watched.url.replace("/main", "/other"))
    with pytest.raises(QueueUnavailable, match="name of the service"):
        Add.dispatch(1)


def test_sentinels_that_refuse_the_login(watched: Watched, make_bench: MakeBench) -> None:
    """The error says how theirs is given, as it is not that of the servers."""
    make_bench(Add, url=watched.url.partition("?")[0])
    with pytest.raises(QueueUnavailable, match="sentinel_password="):
        Add.dispatch(1)


def test_a_closed_client_has_no_connections(watched: Watched) -> None:
    """Neither to the primary nor to a Sentinel."""
    client = make_client(watched.url, timeout_s=5)
    client.ping()
    sentinel = watched.sentinels[0].client()

    def ours() -> int:
        return sum(each["name"] == "flask-queue" for each in sentinel.client_list())

    assert ours() == 1
    client.close()
    wait_until(lambda: ours() == 0)
    sentinel.close()


def test_jobs_go_on_after_a_failover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The primary is killed under load: its replica takes over, what had reached it is kept, nothing is stuck."""
    with Watched() as watched, Traffic(watched.url, tmp_path) as traffic, closing(Beating(traffic.app)) as heart:
        held = traffic.hold(2.0)
        traffic.flows(20)
        assert heart.beats()
        watched.primary.kill()
        killed_at = time.time()
        traffic.flows()
        assert watched.primary_port() == watched.replica.port
        wait_until(heart.beats, what="the heart follows the primary")
        traffic.drain()
        lost = traffic.settle_accounts(killed_at, held)
        for worker in traffic.workers:
            assert worker.printed.count("Trying again until it is back") == 1, worker.printed
            assert worker.printed.count("Redis is back") == 1, worker.printed
    with capsys.disabled():
        print(f"\nfailover by Sentinels: {len(traffic.sent)} jobs, {lost} lost, {len(traffic.refusals)} refusals")
