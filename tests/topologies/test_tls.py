"""Redis behind TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Job, QueueUnavailable
from tests.servers import free_port
from tests.support import wait_until
from tests.topologies.sentinels import SERVICE, SentinelServer
from tests.topologies.tls import TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.worker.conftest import MakeBench


class Add(Job):
    def handle(self, a: int, b: int = 1) -> int:
        return a + b


@pytest.fixture(scope="module")
def server() -> Iterator[TlsServer]:
    with TlsServer(kind="redis") as server:
        yield server


def refused(url: str) -> str:
    """What a dispatch to there says."""
    app = Flask("refused")
    app.config["QUEUE_REDIS_URL"] = url
    queue = FlaskQueue(app, jobs=[Add])
    with app.app_context():
        with pytest.raises(QueueUnavailable) as info:
            Add.dispatch(1)
        queue.broker.close()
    assert "\n" not in str(info.value)
    return str(info.value)


def test_jobs_go_through_tls(server: TlsServer, make_bench: MakeBench) -> None:
    """Dispatch, claims, waits for jobs and reads, with the certificate named in the address."""
    bench = make_bench(Add, url=server.url)
    early = Add.dispatch(1)
    with bench.working():
        assert bench.finished(early.id).result == 2
        assert bench.finished(Add.dispatch(2).id).result == 3
    assert bench.queue.counts()["default"]["completed"] == 2


def test_a_certificate_that_nobody_trusts(server: TlsServer) -> None:
    """The error says what to add to the address."""
    told = refused(server.untrusting_url)
    assert f"127.0.0.1:{server.tls_port}" in told
    assert "?ssl_ca_certs=" in told
    assert "QUEUE_REDIS_URL" in told


def test_a_certificate_for_another_name(server: TlsServer) -> None:
    """The error says that the name is at fault."""
    told = refused(server.url.replace("127.0.0.1", "localhost"))
    assert "a name of the server that its certificate has" in told


@pytest.mark.parametrize("option", ["ssl_cert_reqs=none", "ssl_check_hostname=false"])
def test_checks_that_are_switched_off(server: TlsServer, make_bench: MakeBench, option: str) -> None:
    """A name that the certificate lacks will do then."""
    make_bench(Add, url=f"{server.url.replace('127.0.0.1', 'localhost')}&{option}")
    assert Add.dispatch(1).state == "waiting"


def test_sentinels_behind_tls(server: TlsServer, make_bench: MakeBench) -> None:
    """The options of the address are for Sentinels and servers."""
    port = free_port()
    tls = {"tls-port": str(port), "tls-replication": "yes", "tls-ca-cert-file": str(server.certificate)}
    options = {**server.options, **tls}
    with SentinelServer(kind="redis", watched_port=server.tls_port, quorum=1, options=options):
        query = server.url.partition("?")[2]
        bench = make_bench(Add, url=f"rediss+sentinel://127.0.0.1:{port}/{SERVICE}?{query}")
        with bench.working():
            assert bench.finished(Add.dispatch(1).id).result == 2


def test_a_cluster_behind_tls(make_bench: MakeBench) -> None:
    """The options of the address are for all its nodes."""
    node = TlsServer(kind="redis")
    node.options |= {"cluster-enabled": "yes", "cluster-port": str(free_port()), "tls-cluster": "yes"}
    node.options["tls-ca-cert-file"] = str(node.certificate)
    with node:
        with node.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
        bench = make_bench(Add, url=node.url.replace("rediss://", "rediss+cluster://").replace("/0?", "?"))
        with bench.working():
            assert bench.finished(Add.dispatch(1).id).result == 2
