"""The store's tests run on each kind of server, and leave every queue whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import KINDS, RedisServer
from tests.store.checks import check_all
from tests.store.driver import PREFIX, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis


@pytest.fixture(scope="session", params=KINDS)
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that the tests of a session share, of each kind in turn."""
    with RedisServer(kind=request.param) as server:
        yield server


@pytest.fixture
def queue(redis_client: Redis) -> Iterator[Driver]:
    """An empty queue; after the test, each job of any queue is in exactly one state."""
    yield Driver(redis_client)
    check_all(redis_client, PREFIX)


@pytest.fixture(autouse=True, scope="session")
def _long_pauses() -> Iterator[None]:
    """Suspects come back when a test says so, not in the middle of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flask_queue.store.transitions.SUSPECT_PAUSE_MS", (3_600_000, 3_600_000))
        yield
