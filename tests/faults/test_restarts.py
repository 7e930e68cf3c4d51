"""Redis ends and comes back while workers are busy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import PATIENCE_S, dispatch, told
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cli.processes import Running
    from tests.faults.conftest import Site


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_redis_restarts_under_busy_workers(site: Site, end: str) -> None:
    """Twice: workers say so once, go on at once when it is back, and every job runs once, as every write is synced."""
    records = dispatch(600)
    long = dispatch(1, 3, first=600, queue="other")
    workers = [site.work(), site.work()]
    for outage in (1, 2):
        site.goes_on(*workers, within_s=PATIENCE_S)
        getattr(site.server, end)()
        wait_until(partial(_have_told, workers, outage))
        site.server.start()
        site.goes_on(*workers)
    site.completes([*records, *long])
    assert [told(worker) for worker in workers] == [(2, 2), (2, 2)]


def _have_told(workers: Sequence[Running], outages: int) -> bool:
    return all(told(worker)[0] == outages for worker in workers)
