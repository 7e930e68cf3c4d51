"""Connections: how many there may be, and that they are closed."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from flask_queue.store.connect import make_client
from flask_queue.store.store import Store
from tests.support import wait_until

if TYPE_CHECKING:
    import redis

#: The client library's default for a pool.
LIBRARY_LIMIT = 100


def ours(client: redis.Redis) -> int:
    """How many connections have our name."""
    return sum(each["name"] == "flask-queue" for each in client.client_list())


def test_a_closed_store_has_no_connections(redis_url: str, redis_client: redis.Redis) -> None:
    """None stays open until the garbage collector comes; the next use opens a new one."""
    store = Store(redis_url, prefix="p", dispatch_timeout_s=2, socket_timeout_s=5)
    for _ in range(2):
        store.client.ping()
        store.transitions.enqueue(store._dispatch_client, "q", [])
        assert ours(redis_client) == 2
        store.close()
        wait_until(lambda: ours(redis_client) == 0)


def test_a_client_serves_more_threads_than_the_library_would(redis_url: str, redis_client: redis.Redis) -> None:
    """A web server's threads each have a connection of their own at the same moment."""
    client = make_client(redis_url, timeout_s=5)
    with ExitStack() as stack:
        stack.callback(client.close)
        for _ in range(LIBRARY_LIMIT + 10):
            stack.enter_context(closing(client.pubsub())).subscribe("news")
        assert ours(redis_client) == LIBRARY_LIMIT + 10
