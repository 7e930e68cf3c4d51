"""`--health-port`: what probes are told."""

from __future__ import annotations

import signal
import socket
from http.client import HTTPConnection

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flask_queue.metrics import CONTENT_TYPE
from tests.servers import RedisServer, free_port
from tests.supervision.conftest import PATIENCE_S, Site, children, probe
from tests.support import wait_until


def answers(port: int) -> tuple[int, int]:
    """Statuses of both probes."""
    return probe(port, "/livez")[0], probe(port, "/readyz")[0]


def scrape(port: int) -> tuple[int, str, str]:
    """Status, content type and text of `/metrics`."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    with connection.getresponse() as response:
        found = response.status, response.headers["Content-Type"], response.read().decode()
    connection.close()
    return found


def samples(port: int) -> dict[tuple[str, ...], float]:
    """What is scraped, by name and labels."""
    families = text_string_to_metric_families(scrape(port)[2])
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_a_process_tells_whether_it_lives_and_claims(site: Site) -> None:
    """Ready once it has reached Redis, not while that is away, and not when it was told to be quiet."""
    with RedisServer(appendonly=True) as server:
        port = free_port()
        worker = site.work("--health-port", str(port), QUEUE_REDIS_URL=server.url)
        wait_until(lambda: answers(port) == (200, 200), PATIENCE_S)
        assert probe(port, "/livez")[1] == {
            "status": "ok",
            "processes": [{"pid": worker.process.pid, "alive": True, "ready": True}],
        }
        server.stop()
        wait_until(lambda: answers(port) == (200, 503), PATIENCE_S)
        server.start()
        wait_until(lambda: answers(port) == (200, 200), PATIENCE_S)
        worker.send(signal.SIGTERM)
        assert worker.end() == 0


def test_a_quiet_process_is_not_ready(site: Site) -> None:
    """It is alive, and claims nothing."""
    port = free_port()
    site.work("--health-port", str(port))
    wait_until(lambda: answers(port) == (200, 200), PATIENCE_S)
    (worker,) = site.workers(1)
    site.queue.quiet(worker.id)
    wait_until(lambda: answers(port) == (200, 503), PATIENCE_S)


def test_other_requests(site: Site) -> None:
    """HEAD like GET without a body, query strings ignored, other paths and methods refused, garbage survived."""
    port = free_port()
    site.work("--health-port", str(port))
    wait_until(lambda: answers(port) == (200, 200), PATIENCE_S)
    assert probe(port, "/livez?verbose=1")[0] == 200
    assert [probe(port, path)[0] for path in ("/", "/metrics/", "/livez/")] == [404] * 3
    statuses = {}
    for method in ("HEAD", "POST"):
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request(method, "/livez")
        with connection.getresponse() as response:
            statuses[method] = response.status
            assert method == "POST" or response.read() == b""
        connection.close()
    assert statuses == {"HEAD": 200, "POST": 501}
    with socket.create_connection(("127.0.0.1", port), timeout=5) as garbage:
        garbage.sendall(b"\x00\xff\r\n\r\n")
        garbage.recv(1000)
    assert answers(port) == (200, 200)


@pytest.mark.parametrize("options", [(), ("--processes", "2")], ids=["alone", "supervised"])
def test_prometheus_reads_the_queues_there(site: Site, options: tuple[str, ...]) -> None:
    """As it does beside the dashboard; while Redis is away that fails, and nothing looks like an empty queue."""
    with RedisServer(appendonly=True) as server:
        port = free_port()
        site.work("--health-port", str(port), *options, QUEUE_REDIS_URL=server.url)
        wait_until(lambda: answers(port) == (200, 200), PATIENCE_S)
        assert scrape(port)[:2] == (200, CONTENT_TYPE)
        threads = 2 * len(options or [1])
        wait_until(lambda: samples(port)["flask_queue_threads", "default"] == threads, PATIENCE_S)
        found = samples(port)
        assert found["flask_queue_jobs", "default", "waiting"] == 0
        assert all(name.startswith("flask_queue_") for name, *_ in found)
        server.stop()
        wait_until(lambda: answers(port) == (200, 503), PATIENCE_S)
        status, _, text = scrape(port)
        assert (status, text.count("\n")) == (503, 1), text


@pytest.mark.parametrize("options", [(), ("--processes", "2")], ids=["alone", "supervised"])
def test_a_port_that_is_taken(site: Site, options: tuple[str, ...]) -> None:
    """The command ends with one line, before any job runs."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = site.commands.fails("queue", "work", "--health-port", str(port), *options)
    assert f"The health port {port} cannot be used (Address already in use)" in line


@pytest.mark.needs("ps")
def test_a_supervisor_answers_for_all(site: Site) -> None:
    """Alive and ready while one process is, and it says how each of them is."""
    port = free_port()
    supervisor = site.work("--processes", "2", "--health-port", str(port))

    def ready() -> list[int]:
        _, data = probe(port, "/readyz")
        return [process["pid"] for process in data["processes"] if process["ready"]] if data else []

    wait_until(lambda: len(ready()) == 2, PATIENCE_S)
    assert ready() == sorted(children(supervisor.process.pid))
    first, second = site.workers(2)
    site.queue.quiet(first.id)
    wait_until(lambda: ready() == [second.pid], PATIENCE_S)
    assert answers(port) == (200, 200)
    site.queue.quiet(second.id)
    wait_until(lambda: answers(port) == (200, 503), PATIENCE_S)
    supervisor.send(signal.SIGTERM)
    assert supervisor.end() == 0
    assert answers(port) == (0, 0)
