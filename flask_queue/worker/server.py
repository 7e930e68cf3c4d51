"""A worker's looks at the server itself: what it is like, and whether it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from redis import Redis
from redis.exceptions import RedisError

from ..errors import QueueError
from ..store.connect import address

logger = logging.getLogger("flask_queue.worker")

#: The setting of a server that refuses writes when it is full, and throws nothing away.
KEEPS_ALL = "noeviction"


def look_at_server(client: Redis) -> float:
    """Warn of a server that may throw jobs away; returns the seconds it has been up at least. Redis: one round trip."""
    info = client.info()
    policy = info.get("maxmemory_policy", KEEPS_ALL)
    if policy != KEEPS_ALL:
        logger.warning(
            "Redis at %s has maxmemory-policy %s: once it is full it throws jobs away. Set it to %s.",
            address(client),
            policy,
            KEEPS_ALL,
        )
    # Redis subtracts whole seconds: started at 0.9 and asked at 2.1, it says 2.
    return max(0.0, float(info.get("uptime_in_seconds", 0)) - 1)


def knock(make_client: Callable[[], Redis], answered: Callable[[], None]) -> None:
    """See whether Redis answers, without waiting for it: where nothing comes back, that takes a connection's time-out.

    Args:
        make_client: makes a client for this one question.
        answered: called if it does, on another thread.
    """

    def ask() -> None:
        with suppress(RedisError, QueueError), make_client() as client:
            client.ping()
            answered()

    Thread(target=ask, name="fq-knock", daemon=True).start()
