"""A server behind a fixed address that becomes a replica, and a primary again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from flask_queue import Job, QueueUnavailable
from tests.servers import KINDS, RedisServer
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.worker.conftest import MakeBench


class Add(Job):
    def handle(self, a: int) -> int:
        return a + 1


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with RedisServer(kind=request.param, tcp=True) as server:
        yield server


def connections(server: RedisServer) -> set[str]:
    """The ids of those that are ours."""
    with server.client() as client:
        return {each["id"] for each in client.client_list() if each["name"] == "flask-queue"}


def test_a_replica_counts_as_away(server: RedisServer, make_bench: MakeBench, caplog: pytest.LogCaptureFixture) -> None:
    """Dispatches say so, workers wait, and both connect anew: behind the same name another may be the primary."""
    bench = make_bench(Add, url=server.url)
    with caplog.at_level(logging.INFO, "flask_queue.worker"), bench.working(), server.client() as admin:
        assert bench.finished(Add.dispatch(1).id).result == 2
        delayed = Add.options(delay_s=3600).dispatch(7)
        before = connections(server)
        admin.replicaof("127.0.0.1", "1")
        with pytest.raises(QueueUnavailable, match="is a replica"):
            Add.dispatch(2)
        with pytest.raises(QueueUnavailable, match="is a replica"):
            bench.queue.pause("default")
        with pytest.raises(QueueUnavailable, match="is a replica"):
            bench.queue.cancel(delayed.id)
        wait_until(lambda: not connections(server) & before, what="all connect anew")
        admin.replicaof("NO", "ONE")
        assert bench.finished(Add.dispatch(3).id).result == 4
    assert sum("Trying again until it is back" in entry.message for entry in caplog.records) <= 1
    assert "refuses to work" not in caplog.text
