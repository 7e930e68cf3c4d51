"""Connections to Redis, and one error for all the ways in which it can be away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Connection, ConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError

from ..errors import QueueUnavailable
from ..redis_url import parse_redis_url
from .cluster import ClusterClient
from .conditions import is_replicas, meaning
from .sentinel import FollowingPool, follow_primary, whereabouts

#: Starts a server if need be, and returns the path of its socket.
Resolve = Callable[[], str]

#: What an ACL user may have to do besides the keys `~{<prefix>:*` and `~<prefix>:audit`. INFO tells of a restart.
PERMISSIONS = (
    "-@all +@hash +@list +@set +@sortedset +@stream +@string -@dangerous "
    "+eval +evalsha +exists +unlink +del +expire +pexpire +time +info +ping +select +client|setname"
)
#: How servers say that a command of a script is not permitted, Redis 6 in the middle of more; a command alone has an
#: error of its own.
_REFUSED_IN_SCRIPT = ("ACL failure in script", "The user executing the script can't")

#: Of one client. A thread has one at a time, so only a leak could come near. Newer versions of the client library allow
#: 100 unless told, fewer than a web server may have threads.
_MAX_CONNECTIONS = 10_000


def make_client(url: str, *, timeout_s: float, protocol: int | None = None, resolve: Resolve | None = None) -> Redis:
    """A client with its own pool; connects at the first command, and never repeats one by itself.

    Args:
        url: where the server is, as in QUEUE_REDIS_URL.
        timeout_s: for connecting, and for each reply.
        protocol: RESP version, None for the client library's default.
        resolve: for `embedded://`: called before every new connection, so that a server that died comes back.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "flask-queue",
        "max_connections": _MAX_CONNECTIONS,
    }
    if protocol is not None:
        options["protocol"] = protocol
    if resolve is not None:
        return Redis.from_pool(ConnectionPool(connection_class=_EmbeddedConnection, resolve=resolve, **options))
    where = parse_redis_url(url)
    if where.kind != "unix":
        options["socket_keepalive"] = True
    if where.tls and where.options.get("ssl_cert_reqs") != "none":
        options["ssl_check_hostname"] = True  # older versions of the client library don't by themselves
    if where.kind == "sentinel":
        return follow_primary(where, options)
    if where.kind == "cluster":
        return ClusterClient(where, options)
    # A client closes the connections only of a pool that is its own.
    return Redis.from_pool(ConnectionPool.from_url(url, **options))


class _EmbeddedConnection(UnixDomainSocketConnection):
    """Makes sure that the embedded server runs before it connects."""

    def __init__(self, resolve: Resolve, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call] # redis-py's
        self._resolve = resolve

    def _connect(self) -> Any:
        try:
            self.path = self._resolve()
        except QueueUnavailable as error:
            # The client's kind of error: whoever waits until Redis is back waits for this server as well.
            raise RedisConnectionError(str(error)) from error
        return super()._connect()  # type: ignore[no-untyped-call] # redis-py's


@contextmanager
def translate_errors(client: Redis, *, job_id: str | None = None) -> Iterator[None]:
    """Turn whatever the client library raises into `QueueUnavailable` that says where, why, and what to do."""
    try:
        yield
    except RedisError as error:
        seek_primary(client, error)
        raise QueueUnavailable(explain(client, error), job_id=job_id) from error


def explain(client: Redis, error: Exception) -> str:
    """One line: where Redis was looked for, what it said, what to do."""
    if isinstance(error.__cause__, QueueUnavailable):
        return str(error.__cause__)
    where, reason = address(client), reason_of(error)
    if isinstance(error, AuthenticationError) or "NOAUTH" in reason or "WRONGPASS" in reason:
        return f"Redis at {where} refused the credentials ({reason}): set REDIS_PASSWORD, or QUEUE_REDIS_URL with it."
    if is_forbidden(error):
        return f"Redis at {where} does not let its user do what is needed ({reason})."
    if known := meaning(error):
        return f"Redis at {where} {known[0]} ({reason}): {known[1]}."
    return f"Redis at {where} is not available ({reason}): {_remedy(reason)}."


def reason_of(error: Exception) -> str:
    """What an error says on one line, and for a missing permission what has to be granted."""
    reason = str(error).strip().rstrip(".").splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, MasterNotFoundError):
        # What follows lists connections as Python objects.
        refused = "; the Sentinels refused the credentials" if "AuthenticationError" in reason else ""
        return reason.partition(" : ")[0] + refused
    if is_forbidden(error):
        rights = f"{PERMISSIONS} +cluster|slots" if "'cluster" in reason else PERMISSIONS
        return f"{reason}; grant ~{{<QUEUE_PREFIX>:* ~<QUEUE_PREFIX>:audit {rights} with ACL SETUSER"
    return reason


def is_forbidden(error: Exception) -> bool:
    """Whether the server's user lacks a permission."""
    return isinstance(error, NoPermissionError) or any(words in str(error) for words in _REFUSED_IN_SCRIPT)


def seek_primary(client: Redis, error: Exception) -> None:
    """Connect anew for what comes next if a replica gave this error: another server may be the primary by now."""
    if is_replicas(error):
        client.connection_pool.disconnect(inuse_connections=False)


def _remedy(reason: str) -> str:
    if "Sentinels refused" in reason:
        return "add ?sentinel_password=… to QUEUE_REDIS_URL, and sentinel_username if they have users"
    if reason.startswith("No master found"):
        return "make sure that the Sentinels run, and that QUEUE_REDIS_URL has the name of the service that they watch"
    if "CERTIFICATE_VERIFY_FAILED" not in reason:
        return "start it, or set QUEUE_REDIS_URL to where it runs"
    if "mismatch" in reason or "not valid for" in reason:
        return "set QUEUE_REDIS_URL to a name of the server that its certificate has"
    return "add ?ssl_ca_certs=/path/to/ca.pem to QUEUE_REDIS_URL, a file with the certificate that signed the server's"


def address(client: Redis) -> str:
    """Where the client connects to, without credentials."""
    if isinstance(client, ClusterClient):
        return "the cluster of " + ", ".join(f"{host}:{port}" for host, port in client.hosts)
    pool = client.connection_pool
    if isinstance(pool, FollowingPool):
        return whereabouts(pool)
    options = pool.connection_kwargs
    if issubclass(pool.connection_class, (Connection, SSLConnection)):
        return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return str(options.get("path", "the embedded server's socket"))
