"""Connections and scripts that an administrator takes away from a busy worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.conftest import dispatch, told
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Site


def kill_clients(client: Any) -> None:
    client.client_kill_filter(_type="normal", skipme=True)


def flush_scripts(client: Any) -> None:
    client.script_flush()


@pytest.mark.parametrize("harm", [kill_clients, flush_scripts])
def test_nothing_is_lost_or_repeated(site: Site, harm: Callable[[Any], None]) -> None:
    """CLIENT KILL and SCRIPT FLUSH again and again: each job runs once, whatever was under way."""
    worker = site.work()
    records = dispatch(600)
    with site.server.client() as client:

        def is_over() -> bool:
            harm(client)
            return sum(site.journal("end").values()) == len(records)

        wait_until(is_over, 30, interval=0.05, what="all jobs have run")
    site.completes(records)
    away, back = told(worker)
    assert away == back
