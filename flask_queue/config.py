"""Every setting, read once and checked together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self, TypeVar

from flask import Flask

from .backoff import Backoff
from .environment import Settings, flag, from_json, seconds, text, whole
from .errors import ConfigError
from .queues import Queue, RateLimit, read_queues
from .redis_url import parse_redis_url, url_of_parts

__all__ = ["Config", "Queue", "RateLimit", "parse_backoff"]

T = TypeVar("T")

DEFAULT_URL = "redis://127.0.0.1:6379/0"
#: Retries after about 5, 10, 20, 40 s: short enough for a hiccup, an hour at most for what is really down.
DEFAULT_BACKOFF = Backoff.exponential(5, 3600)
DAY_S = 86_400.0
FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
REDACTED = ("password", "passwd", "secret", "token", "api_key", "authorization", "cookie", "card", "cvv")


def parse_backoff(value: object) -> Backoff:
    """A `Backoff`, or a list of seconds whose last value repeats.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, Backoff):
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(step, int | float) for step in value):
        raise ValueError("give a list of seconds, as in [1, 10, 60], or Backoff.exponential(min_s, max_s)")
    return Backoff.fixed(value)


def _default_backoff(value: object) -> Backoff:
    return DEFAULT_BACKOFF if value == "exponential" else parse_backoff(from_json(value))


def _prefix(value: object) -> str:
    if "{" in (prefix := text(value)) or "}" in prefix:
        raise ValueError("leave the braces out: they mark the Redis Cluster hash tag, which is built from the prefix")
    return prefix


def _access(value: object) -> object:
    if not callable(value) and not (isinstance(value, str) and FUNCTION.fullmatch(value)):
        raise ValueError('give a function without parameters, or its place as "package.module:function"')
    return value


def _words(value: object) -> tuple[str, ...]:
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, list | tuple | set | frozenset) or not all(isinstance(word, str) for word in words):
        raise ValueError("give key names, as a list or separated by spaces")
    return tuple(words)


def _setting(default: T, parse: Callable[[object], T], *, secret: bool = False) -> T:
    """A field that is read from the key QUEUE_<FIELD>."""
    made: Any = field(default=default, repr=not secret, metadata={"parse": parse, "secret": secret})
    return made  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one app. The key of each is its name in upper case after `QUEUE_`."""

    redis_url: str = field(default=DEFAULT_URL, repr=False)
    #: Something named a server; False means that the default address is used.
    redis_configured: bool = False
    queues: Mapping[str, Queue] = field(default_factory=lambda: MappingProxyType({"default": Queue("default")}))
    dispatch_timeout_s: float = _setting(2.0, seconds(above=True))
    socket_timeout_s: float = _setting(5.0, seconds(above=True))
    max_retries: int = _setting(3, whole(0))
    backoff: Backoff = _setting(DEFAULT_BACKOFF, _default_backoff)  # noqa: RUF009
    timeout_s: float = _setting(600.0, seconds(above=True))
    after_commit: bool = _setting(False, flag)
    max_payload_bytes: int = _setting(1 << 20, whole(1))
    max_result_bytes: int = _setting(64 << 10, whole(0))
    prefix: str = _setting("flask-queue", _prefix)
    keep_completed: int = _setting(10_000, whole(0))
    keep_failed: int = _setting(100_000, whole(0))
    keep_completed_s: float = _setting(DAY_S, seconds())
    keep_failed_s: float = _setting(14 * DAY_S, seconds())
    lease_s: float = _setting(15.0, seconds(1))
    max_recoveries: int = _setting(3, whole(0))
    shutdown_timeout_s: float = _setting(25.0, seconds(above=True))
    dashboard: bool = _setting(True, flag)
    dashboard_access: object = _setting(None, _access)
    dashboard_username: str | None = _setting(None, text)
    dashboard_password: str | None = _setting(None, text, secret=True)
    redact: tuple[str, ...] = _setting(REDACTED, _words)

    @classmethod
    def from_app(cls, app: Flask, declared: Iterable[object] = ()) -> Self:
        """Read every setting from `app.config`, then the environment with its `.env` file, then the defaults.

        Args:
            app: its config is read now; later changes have no effect.
            declared: the queues that the code declares.

        Raises:
            ConfigError: something is wrong; it lists every fault.
        """
        settings = Settings(app.config)
        values: dict[str, Any] = {
            f.name: settings.read(f"QUEUE_{f.name.upper()}", f.default, **f.metadata) for f in fields(cls) if f.metadata
        }
        if (values["dashboard_username"] is None) != (values["dashboard_password"] is None):
            settings.faults.append(
                "QUEUE_DASHBOARD_USERNAME and QUEUE_DASHBOARD_PASSWORD belong together: set both, or neither"
            )
        url, is_configured = _redis(settings)
        queues = read_queues(settings, declared)
        settings.warn_of_typos()
        if settings.faults:
            raise ConfigError(settings.faults)
        return cls(url, is_configured, queues, **values)

    @property
    def lease_ms(self) -> int:
        """The lease in the unit of scripts."""
        return round(self.lease_s * 1000)


def _redis(settings: Settings) -> tuple[str, bool]:
    """The server's address, and whether anything named it."""
    for key in ("QUEUE_REDIS_URL", "REDIS_URL"):
        if settings.find(key)[0] is not None:
            return settings.read(key, DEFAULT_URL, _url, secret=True), True
    host = settings.read("REDIS_HOST", None, _host_name, secret=True)
    port = settings.read("REDIS_PORT", None, _port)
    username = settings.read("REDIS_USERNAME", None, _or_null)
    password = settings.read("REDIS_PASSWORD", None, _or_null, secret=True)
    db = settings.read("REDIS_DB", None, whole(0))
    url = url_of_parts(host or "127.0.0.1", port or 6379, username=username, password=password, db=db or 0)
    return url, any(part is not None for part in (host, port, username, password, db))


def _url(value: object) -> str:
    url = text(value).strip()
    parse_redis_url(url)
    return url


def _host_name(value: object) -> str:
    host = text(value).strip()
    if re.search(r"[\s/@\[\]]", host) or host.count(":") == 1:
        raise ValueError("give a host name or an address alone; a whole URL belongs in QUEUE_REDIS_URL")
    return host


def _port(value: object) -> int:
    if isinstance(value, str) and value.startswith("tcp://"):
        raise ValueError("Kubernetes sets this for a service named redis; set QUEUE_REDIS_URL, which wins over it")
    return whole(1, 65_535)(value)


def _or_null(value: object) -> str | None:
    """Text; the literal `null` stands for none, as container images and platform dashboards write it."""
    return None if value == "null" else text(value)
