"""A client that follows the primary: each new connection asks the Sentinels where it is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from redis import Redis
from redis.connection import parse_url
from redis.sentinel import Sentinel, SentinelConnectionPool

from ..redis_url import RedisUrl

#: The Sentinels' own login, in the query of an address; what comes before its @ is that of the server.
_LOGIN = {"sentinel_username": "username", "sentinel_password": "password"}


class FollowingPool(SentinelConnectionPool):
    """Connections to the primary, and to the Sentinels that know it."""

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections: all of them, or as the library does where it has met a new primary, the idle ones."""
        super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                sentinel.close()


def follow_primary(url: RedisUrl, options: dict[str, Any]) -> Redis:
    """A client of the primary of a service.

    Args:
        url: where the Sentinels are.
        options: of each connection to the primary. Finding it takes no longer than its `socket_timeout`, however many
            Sentinels are silent.
    """
    given = parse_url(f"redis://?{urlencode(url.options)}")
    login = {ours: given.pop(name) for name, ours in _LOGIN.items() if name in given}
    shared = {**options, **given, "ssl": url.tls}
    # To connect, and to be answered; in RESP2, as older versions of the client library cannot read the other's answer.
    each_s = options["socket_timeout"] / (2 * len(url.hosts))
    asking = {**shared, **login, "socket_timeout": each_s, "socket_connect_timeout": each_s, "protocol": 2}
    manager = Sentinel(list(url.hosts), sentinel_kwargs=asking)
    shared |= {"db": url.db, "username": url.username, "password": url.password}
    return Redis.from_pool(FollowingPool(url.service, manager, **shared))  # type: ignore[no-untyped-call]  # redis-py


def whereabouts(pool: SentinelConnectionPool) -> str:
    """Whom it asks for what."""
    kwargs = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    hosts = sorted(f"{each['host']}:{each['port']}" for each in kwargs)
    return f"{pool.service_name} (Sentinels {', '.join(hosts)})"
