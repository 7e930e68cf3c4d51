"""Redis Cluster: queues on several nodes."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flask_queue import Job, Queue, QueueUnavailable
from flask_queue.cli import queue_cli
from flask_queue.store.connect import PERMISSIONS, make_client
from tests.support import wait_until
from tests.topologies.clusters import Cluster
from tests.topologies.failover import Beating, Traffic
from tests.topologies.program import QUEUES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.worker.conftest import Bench, MakeBench


class Add(Job):
    unique_for_s = 60

    def handle(self, a: int) -> int:
        self.log("adding")
        return a + 1


class Boom(Job):
    max_retries = 0

    @staticmethod
    def tags(a: int) -> list[str]:
        """To be found by."""
        return [f"a:{a}"]

    def handle(self, a: int) -> None:
        raise ValueError(a)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """For tests that leave all as it was."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def bench(cluster: Cluster, make_bench: MakeBench, request: pytest.FixtureRequest) -> Bench:
    """An app with four queues on three nodes, under a prefix of its own."""
    queues = [Queue(name, concurrency=2) for name in QUEUES]
    return make_bench(Add, Boom, queues=queues, url=cluster.url, QUEUE_PREFIX=request.node.name)


def tag(bench: Bench, queue: str) -> str:
    """What a key of the queue begins with."""
    return bench.broker.store.transitions.keys(queue)["state"]


def on_all(bench: Bench, numbers: int = 5) -> list[str]:
    """Ids of jobs that were just dispatched, some on each queue."""
    return [Add.options(queue_name=name).dispatch(a=number).id for name in QUEUES for number in range(numbers)]


def test_jobs_of_all_queues_run(cluster: Cluster, bench: Bench) -> None:
    """Also those that come while all is quiet: each queue is waited for on its own node."""
    assert len({cluster.server_of(tag(bench, name)).port for name in QUEUES}) > 1
    early = on_all(bench)
    with bench.working():
        for job_id in early:
            assert bench.finished(job_id).state == "completed"
        for name in QUEUES:
            started_s = time.monotonic()
            bench.finished(Add.options(queue_name=name).dispatch(a=100).id)
            assert time.monotonic() - started_s < 1.0, name
        (worker,) = bench.queue.workers()
        assert set(worker.queues) == set(QUEUES)
    assert {name: each["completed"] for name, each in bench.queue.counts().items()} == dict.fromkeys(QUEUES, 6)


def test_operators_see_and_change_all_queues(bench: Bench) -> None:
    """Whatever goes over several queues goes to several nodes; the scripts are loaded into each of them."""
    ids = on_all(bench, 2)
    queue = bench.queue
    assert {record.id for record in queue.jobs().records} == set(ids)
    assert queue.get(ids[-1].rpartition(":")[2]).id == ids[-1]
    queue.pause("emails", "for a test")
    assert queue.paused() == {"emails": "for a test"}
    queue.resume("emails")
    for job_id in ids[::2]:
        queue.cancel(job_id)
    assert sum(each["cancelled"] for each in queue.counts().values()) == len(QUEUES)
    assert sum(queue.clean(name, state="cancelled") for name in QUEUES) == len(QUEUES)
    assert [entry.action for entry in queue.audit().entries][-1] == "pause"
    bench.run_all()
    assert queue.logs(ids[1]) == ["adding"]
    runner = bench.app.test_cli_runner()
    shown = runner.invoke(queue_cli, ["status"])
    assert shown.exit_code == 0, shown.output
    examined = runner.invoke(queue_cli, ["doctor"])
    for found in ("scripts run", "no orphan keys"):
        assert found in examined.output


def test_failures_are_grouped_and_retried_over_all_nodes(bench: Bench) -> None:
    """One group of all queues; by its fingerprint, or by a tag."""
    for name in QUEUES:
        Boom.options(queue_name=name).dispatch_many([{"a": 1}, {"a": 2}])
    bench.run_all()
    queue = bench.queue
    [group] = queue.failures()
    assert (group.count, group.queues) == (2 * len(QUEUES), dict.fromkeys(QUEUES, 2))
    assert queue.retry_all(tag="a:1") == len(QUEUES)
    assert queue.retry_all(error=group.fingerprint) == len(QUEUES)
    assert queue.failures() == []


def test_a_queue_that_moves_to_another_node(cluster: Cluster, bench: Bench) -> None:
    """Clients that knew the old place follow: dispatch, wait and claim."""
    with bench.working():
        assert bench.finished(Add.dispatch(a=1).id).result == 2
        target = cluster.move(tag(bench, "default"))
        assert cluster.server_of(tag(bench, "default")) is target
        assert bench.finished(Add.dispatch(a=2).id).result == 3
        for job_id in on_all(bench):
            bench.finished(job_id)


@pytest.mark.parametrize("is_connected", [False, True])
def test_a_dispatch_keeps_its_deadline_while_nodes_hang(
    cluster: Cluster, make_bench: MakeBench, is_connected: bool
) -> None:
    """Whether it knows where its queue is or not."""
    make_bench(Add, url=cluster.url, QUEUE_DISPATCH_TIMEOUT_S=1)
    if is_connected:
        wait_until(_is_back, 20, what="the cluster takes jobs")
    for server in cluster.servers:
        server.freeze()
    try:
        for _ in range(2):
            started_s = time.monotonic()
            with pytest.raises(QueueUnavailable) as info:
                Add.dispatch(a=1)
            assert time.monotonic() - started_s < 1.2
    finally:
        for server in cluster.servers:
            server.thaw()
    assert "hush" not in str(info.value)
    assert f"the cluster of 127.0.0.1:{cluster.servers[0].port}" in str(info.value)
    wait_until(_is_back, 20, what="the cluster is back")


def _is_back() -> bool:
    try:
        return bool(Add.dispatch(a=1))
    except QueueUnavailable:
        return False


def test_a_user_needs_one_permission_more(cluster: Cluster, make_bench: MakeBench) -> None:
    """That to see where the slots are."""

    def grant(rights: str) -> None:
        for server in cluster.servers:
            with server.client() as admin:
                admin.execute_command("ACL", "SETUSER", "limited", *rights.split())

    grant(f"on >quiet resetkeys ~{{acl:* ~acl:audit {PERMISSIONS} +cluster|slots")
    url = cluster.url.replace(":hush@", "limited:quiet@")
    bench = make_bench(Add, url=url, QUEUE_PREFIX="acl")
    with bench.working():
        assert bench.finished(Add.dispatch(a=1).id).result == 2
    bench.queue.pause("default")
    grant("-cluster|slots")
    bench = make_bench(Add, url=url, QUEUE_PREFIX="acl")
    with pytest.raises(QueueUnavailable, match=r"client\|setname \+cluster\|slots"):
        Add.dispatch(a=1)


def test_a_closed_client_has_no_connections(cluster: Cluster) -> None:
    """On no node."""
    client = make_client(cluster.url, timeout_s=5)
    for number in range(20):
        client.get(f"key-{number}")

    def ours() -> list[int]:
        found = []
        for server in cluster.servers:
            with server.client() as admin:
                found.append(sum(each["name"] == "flask-queue" for each in admin.client_list()))
        return found

    assert sum(ours()) == 3
    client.close()
    wait_until(lambda: sum(ours()) == 0)


def test_jobs_go_on_after_a_failover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A primary is killed under load: a replica takes over, what had reached it is kept, nothing is stuck."""
    with Cluster() as cluster, Traffic(cluster.url, tmp_path) as traffic, closing(Beating(traffic.app)) as heart:
        held = traffic.hold(2.0)
        traffic.flows(20)
        assert heart.beats()
        cluster.server_of("{flask-queue:default}:state").kill()
        killed_at = time.time()
        traffic.flows()
        wait_until(heart.beats, what="the heart follows the primary")
        traffic.drain()
        lost = traffic.settle_accounts(killed_at, held)
    with capsys.disabled():
        print(f"\nfailover in a cluster: {len(traffic.sent)} jobs, {lost} lost, {len(traffic.refusals)} refusals")
