"""The network between an app and Redis is cut, in the ways in which networks are."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from flask_queue import JobState, QueueUnavailable
from tests.faults.conftest import LEASE_S, dispatch, told
from tests.support import wait_until
from tests.worker.app import Journaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.conftest import Site
    from tests.faults.proxy import Proxy

CUT_S = 10.0
#: For a dispatch in a process that has other things to do as well.
MARGIN_S = 0.3


@contextmanager
def cut(proxy: Proxy, kind: str) -> Iterator[None]:
    getattr(proxy, kind)()
    yield
    proxy.heal()


def test_a_cut_of_ten_seconds(site: Site) -> None:
    """Five leases long: what runs goes on, no job fails or is taken from a living worker, and all resume at once.

    For one worker packets are lost until the network heals. For the other one the connections of that time stay dead,
    and nothing says so: a time-out of the old ones, and the next of the new ones, is all that can.
    """
    lossy, deaf = site.proxy(), site.proxy()
    # So that the third time-out in a row, were new connections as patient as old ones, would end long after the cut.
    patience = {"QUEUE_SOCKET_TIMEOUT_S": "4"}
    workers = [
        site.work("--queues", "default", url=lossy.url, **patience),
        site.work("--queues", "other", url=deaf.url, **patience),
    ]
    long = [*dispatch(1, 6, first=0), *dispatch(1, 6, first=1, queue="other")]
    records = [*dispatch(1000, first=2), *dispatch(1000, first=1002, queue="other")]
    site.goes_on(*workers, within_s=5)
    with cut(lossy, "hold"), cut(deaf, "swallow"):
        started_s = time.monotonic()
        wait_until(lambda: {0, 1} <= site.journal("end").keys(), CUT_S - 1, what="the long jobs end in the cut")
        wait_until(lambda: time.monotonic() >= started_s + CUT_S, CUT_S)
    site.goes_on(*workers)
    site.completes([*long, *records])
    assert CUT_S > 2 * LEASE_S
    assert [told(worker) for worker in workers] == [(1, 1), (1, 1)]


def test_a_cut_that_is_told(site: Site) -> None:
    """Refused connections are noticed at once, and made anew as soon as they can be."""
    proxy = site.proxy()
    worker = site.work(url=proxy.url)
    records = dispatch(600)
    site.goes_on(worker, within_s=5)
    with cut(proxy, "refuse"):
        wait_until(lambda: told(worker)[0] == 1)
    site.goes_on(worker)
    site.completes(records)
    assert told(worker) == (1, 1)


def test_connections_that_break(site: Site) -> None:
    """A reset in the middle of an exchange is an outage of a moment; between two of them nobody notices."""
    proxy = site.proxy()
    worker = site.work(url=proxy.url)
    records = dispatch(600)
    for _ in range(3):
        site.goes_on(worker, within_s=5)
        proxy.reset()
        site.goes_on(worker)
    site.completes(records)
    away, back = told(worker)
    assert away == back <= 3


@pytest.mark.parametrize("kind", ["hold", "swallow", "refuse"])
@pytest.mark.parametrize("is_connected", [False, True])
def test_a_dispatch_in_a_cut(site: Site, kind: str, is_connected: bool) -> None:
    """It fails within its one deadline, and says under which id it can be sent again: that makes one job, not two."""
    proxy, timeout_s = site.proxy(), 0.8
    with site.app(proxy.url, QUEUE_DISPATCH_TIMEOUT_S=timeout_s).app_context():
        if is_connected:
            Journaled.dispatch(1)
        with cut(proxy, kind):
            started_s = time.monotonic()
            with pytest.raises(QueueUnavailable) as info:
                Journaled.dispatch(2)
            assert time.monotonic() - started_s < timeout_s + MARGIN_S
        assert info.value.job_id is not None
        assert f"127.0.0.1:{proxy.port} is not available" in str(info.value)
        local_id = info.value.job_id.partition(":")[2]
        again = [Journaled.options(job_id=local_id).dispatch(2) for _ in range(2)]
    assert {record.id for record in again} == {info.value.job_id}
    assert site.queue.get(info.value.job_id).state is JobState.WAITING
    assert site.count("waiting") == 1 + is_connected
    site.check()
