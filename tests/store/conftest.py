"""The store's tests run on each kind of server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import KINDS, RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", params=KINDS)
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that the tests of a session share, of each kind in turn."""
    with RedisServer(kind=request.param) as server:
        yield server
