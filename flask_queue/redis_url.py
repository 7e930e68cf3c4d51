"""The addresses of a Redis or Valkey server that QUEUE_REDIS_URL may hold, taken apart and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote

Kind = Literal["single", "unix", "sentinel", "cluster", "embedded"]

#: Scheme without its TLS form → what kind of server it names.
KINDS: Mapping[str, Kind] = {
    "redis": "single",
    "unix": "unix",
    "redis+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "embedded": "embedded",
}
#: Redis and Redis Cluster.
REDIS_PORT = 6379
#: Redis Sentinel.
SENTINEL_PORT = 26379
MAX_PORT = 65535

HOST = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:\[\]]*))(?::(\d{1,5}))?")
QUOTING = "special characters in a user name or password must be percent-encoded (@ is %40, / is %2F, # is %23)"
SCHEMES = (
    "redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster://, rediss+cluster:// "
    "or embedded://"
)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """Where the server is. Which fields are set depends on `kind`."""

    kind: Kind
    tls: bool = False
    #: Host and port: one for a single server, at least one for Sentinel and Cluster.
    hosts: tuple[tuple[str, int], ...] = ()
    #: The socket of `unix`, the folder of `embedded`.
    path: str = ""
    #: The name under which the Sentinels know the server.
    service: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    #: The query part, as redis-py's `from_url` understands it.
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


def parse_redis_url(url: str) -> RedisUrl:
    """Take an address apart.

    Raises:
        ValueError: it is none of the forms above. The message never shows the address, which may hold a password.
    """
    parts = _split(url.strip())
    tls = parts.scheme.startswith("rediss")
    kind = KINDS.get(parts.scheme.replace("rediss", "redis", 1))
    if kind is None or "://" not in url:
        raise ValueError(f"give an address that starts with {SCHEMES}")
    if "#" in url:
        raise ValueError(f"an address has no part after #; {QUOTING}")
    if kind == "embedded":
        return RedisUrl(kind, path=_folder(parts))
    return _server(kind, tls, parts)


def url_of_parts(host: str, port: int, *, username: str | None, password: str | None, db: int) -> str:
    """The `redis://` address of a server that is named by REDIS_HOST and its sisters."""
    login = quote(username or "", safe="")
    if password:
        login += ":" + quote(password, safe="")
    host = f"[{host}]" if ":" in host else host
    return f"redis://{login}{'@' if login else ''}{host}:{port}/{db}"


def _split(url: str) -> SplitResult:
    """As `urlsplit`, which in some releases of Python refuses an IPv6 address in a list of hosts."""
    scheme, separator, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    netloc, slash, path = rest.partition("/")
    return SplitResult(scheme.lower() if separator else "", netloc, slash + path, query, "")


def _server(kind: Kind, tls: bool, parts: SplitResult) -> RedisUrl:
    login, _, netloc = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    path, service, db = _place(kind, netloc, unquote(parts.path))
    if kind == "unix" or not db:
        db = options.pop("db", db)
    return RedisUrl(
        kind,
        tls=tls,
        hosts=() if kind == "unix" else _hosts(kind, netloc),
        path=path,
        service=service,
        db=_database(kind, db),
        username=unquote(username) or None,
        password=unquote(password) or None,
        options=options,
    )


def _place(kind: Kind, netloc: str, path: str) -> tuple[str, str, str]:
    """The socket, the Sentinel service and the database that the path names, each "" where it doesn't."""
    if kind == "unix":
        if netloc or len(path) < 2:
            raise ValueError("a socket needs its absolute path, as in unix:///run/redis/redis.sock")
        return path, "", ""
    if kind != "sentinel":
        return "", "", path.strip("/")
    service, _, db = path.strip("/").partition("/")
    if not service:
        raise ValueError("name the service that the Sentinels watch, as in redis+sentinel://host1,host2/mymaster/0")
    return "", service, db


def _database(kind: Kind, text: str) -> int:
    if not re.fullmatch(r"\d{0,9}", text, re.ASCII):
        raise ValueError(f"the database after the host must be a number, as in redis://host:6379/0; {QUOTING}")
    db = int(text or 0)
    if kind == "cluster" and db:
        raise ValueError("a cluster has only database 0: leave the number away")
    return db


def _hosts(kind: Kind, netloc: str) -> tuple[tuple[str, int], ...]:
    default_port = SENTINEL_PORT if kind == "sentinel" else REDIS_PORT
    names = netloc.split(",") if kind != "single" else [netloc]
    hosts = [_host(name.strip(), default_port) for name in names]
    if kind != "single" and not all(name.strip() for name in names):
        raise ValueError("a host is missing between the commas, or before the path")
    return tuple(hosts)


def _host(name: str, default_port: int) -> tuple[str, int]:
    match = HOST.fullmatch(name)
    if match is None or "," in name:
        raise ValueError(f"the host or port is malformed, it should read host:6379; {QUOTING}")
    port = int(match[3] or default_port)
    if not 0 < port <= MAX_PORT:
        raise ValueError(f"the port must be from 1 to {MAX_PORT}")
    return match[1] or match[2] or "127.0.0.1", port


def _folder(parts: SplitResult) -> str:
    folder = unquote(parts.netloc + parts.path)
    if not folder.strip("/") or parts.query:
        raise ValueError("name a folder for the server's data, as in embedded://queue")
    return folder
