"""A Redis that is there and does not work: a replica, one that loads its data, is held up, or is full."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import redis

from flask_queue import JobState, QueueUnavailable
from tests.faults.conftest import RESUME_S, dispatch, told
from tests.servers import RedisServer, free_port
from tests.support import wait_until
from tests.worker.app import Journaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.conftest import Site


@contextmanager
def replica(server: RedisServer) -> Iterator[None]:
    """The server follows another one, which it cannot reach: it keeps its data and takes no writes."""
    with server.client() as client:
        command: Callable[..., Any] = client.execute_command
        command("REPLICAOF", "127.0.0.1", free_port())
        yield
        command("REPLICAOF", "NO", "ONE")


@contextmanager
def held_up(server: RedisServer) -> Iterator[None]:
    """Another client's script does not end, until somebody kills it."""
    with server.client() as client, server.client() as other:
        client.config_set("lua-time-limit", 50)  # of old, and still known

        def loop() -> None:
            with suppress(redis.RedisError):
                other.eval("while true do end", 0)

        thread = threading.Thread(target=loop)
        thread.start()
        yield
        client.script_kill()
        thread.join()


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        (replica, "is a replica, which takes no writes ("),
        (held_up, "is held up by a script (BUSY "),
    ],
    ids=["replica", "held_up"],
)
def test_a_server_that_works_for_nobody_is_waited_for(
    site: Site, condition: Callable[[RedisServer], Any], says: str
) -> None:
    """It counts as away, and is told what it is: once. What runs goes on, and is settled when it works again."""
    worker = site.work()
    long = dispatch(1, 1.5)
    site.begins(0)
    records = dispatch(200, first=1)
    with condition(site.server):
        wait_until(lambda: told(worker)[0] == 1)
        assert says in worker.printed
        with pytest.raises(QueueUnavailable) as info:
            Journaled.dispatch(0)
        assert says in str(info.value)
        assert info.value.job_id is not None
        wait_until(lambda: site.journal("end")[0] == 1, what="the long job ends meanwhile")
    site.goes_on(worker)
    site.completes([*long, *records])
    assert told(worker) == (1, 1)


def test_a_server_that_loads_its_data_is_waited_for(site: Site) -> None:
    """Its port is open and everything is refused; the worker is there as soon as that is over."""
    server = site.server
    with server.client() as client:
        client.config_set("appendonly", "no")
        client.mset({f"ballast:{number}": "x" * 100 for number in range(2_000)})
        client.save()
    worker = site.work()
    records = dispatch(1)
    site.completes(records)
    server.stop()
    # A pause for each key, in microseconds, and a look at the connections each so many bytes.
    server.appendonly = False
    server.options |= {"key-load-delay": "1000", "loading-process-events-interval-bytes": "1024"}
    starting = threading.Thread(target=server.start)
    starting.start()

    def is_loading() -> str:
        try:
            return Journaled.dispatch(1).id and ""
        except QueueUnavailable as error:
            return str(error) if "loading" in str(error) else ""

    message = wait_until(is_loading, what="the server says that it loads its data")
    assert "is loading its data (Redis is loading the dataset in memory): wait until that is done" in message
    starting.join()
    dispatch(1, first=2)
    site.runs(2)
    assert told(worker) == (1, 1)


def test_a_full_server_is_worked_off(site: Site) -> None:
    """A dispatch is refused and told what to do; workers settle, claim and wake up as ever, on more than one queue."""
    worker = site.work()
    # On all threads of a queue, so that the worker waits for the other one's jobs alone, and then for both's.
    long = dispatch(4, 1)
    wait_until(lambda: len(site.journal("start")) == 4)
    records = [*long, *dispatch(100, first=4), *dispatch(100, first=104, queue="other")]
    with site.server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(QueueUnavailable, match=r"is full \(.*maxmemory.*\): raise its maxmemory, or delete"):
            Journaled.dispatch(204)
        site.completes(records)
        client.config_set("maxmemory", "0")
    records += [*dispatch(1, first=204), *dispatch(1, first=205, queue="other")]
    site.completes(records, timeout=RESUME_S)
    assert told(worker) == (0, 0)
    assert "ERROR" not in worker.printed


def test_a_job_whose_payload_was_evicted_fails(site: Site) -> None:
    """A server that throws data away is warned of, once; what has lost its payload ends, and says why."""
    with site.server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        (record,) = dispatch(1)
        client.delete("{flask-queue:default}:jobs")  # as eviction does
        worker = site.work()
        wait_until(lambda: site.queue.get(record.id).state is JobState.FAILED)
        error = site.queue.get(record.id).error
        assert error is not None
        assert error.type == "MissingPayload"
        assert worker.printed.count("has maxmemory-policy allkeys-lru: once it is full it throws jobs away") == 1
        dispatch(1, first=1)
        site.runs(1)
