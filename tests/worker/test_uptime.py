"""How long Redis has been up, by which a new worker judges whether the others have had the time to beat."""

from __future__ import annotations

import time

from flask_queue.worker.server import look_at_server
from tests.servers import RedisServer
from tests.support import wait_until


def test_a_server_is_never_taken_for_older_than_it_is() -> None:
    """Redis says 1 s already after some 0.3 s; a lease that is no longer must not be over for the living."""
    wait_until(lambda: 0.6 < time.time() % 1 < 0.7, 3)
    started_s = time.monotonic()
    with RedisServer() as server, server.client() as client:

        def is_older_than_a_second() -> bool:
            uptime_s = look_at_server(client)
            assert uptime_s <= time.monotonic() - started_s
            return uptime_s > 0

        wait_until(is_older_than_a_second, 5)
