"""Versions, Redis, settings, and what the visitor may do."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from redis.exceptions import ResponseError

from ...doctor import Finding
from ...doctor.finding import guard
from ...doctor.server import look_at_clock, look_at_eviction, look_at_persistence, look_at_version
from ...errors import QueueUnavailable
from ...store.connect import address, translate_errors
from ...versions import installed
from .. import show
from ..access import Access, Verdict
from ..desk import Desk
from ..settings import settings
from .queues import retention

DISTRIBUTIONS = ("flask-queue", "dramatiq", "redis", "hiredis", "Flask", "Flask-Admin")
#: What the doctor looks at in a moment, however much is stored.
LOOKS = {
    "version": look_at_version,
    "eviction": look_at_eviction,
    "persistence": look_at_persistence,
    "clock": look_at_clock,
}
MAY = {
    Access.FULL: "look at everything, and change it",
    Access.READ: "look at everything, and change nothing",
}


def context(desk: Desk, verdict: Verdict) -> dict[str, Any]:
    """What the template wants."""
    info, why_unknown = _info(desk)
    return {
        "title": "About",
        "user": desk.user,
        "rule": verdict.rule,
        "may": MAY.get(verdict.access, ""),
        "versions": [*_versions()],
        "server": [("Address", address(desk.broker.store.client)), *_server(info)],
        "why_unknown": why_unknown,
        "prefix": desk.config.prefix,
        "checks": list(_checks(desk)),
        "retention": retention(desk.config),
        "settings": list(settings(desk.config)),
    }


def _versions() -> Iterator[tuple[str, str]]:
    for name in DISTRIBUTIONS:
        if found := installed(name):
            yield name, found
    yield "Python", platform.python_version()


def _info(desk: Desk) -> tuple[Mapping[str, Any], str]:
    """What the server says of itself; where it may not, nothing, and why. Redis: one command.

    Raises:
        QueueUnavailable: it is away.
    """
    client = desk.broker.store.client
    try:
        with translate_errors(client):
            found: Mapping[str, Any] = client.info()
    except QueueUnavailable as error:
        if isinstance(error.__cause__, ResponseError):
            return {}, str(error)
        raise
    return found, ""


def _checks(desk: Desk) -> Iterator[Finding]:
    """Whether the server is set up as it should be. Redis: up to eight commands."""
    for check, look in LOOKS.items():
        yield from guard(check, partial(look, desk.broker))


def _server(info: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Label and value of what an operator asks for first; what a provider keeps to itself is left out."""
    if not info:
        return
    name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    yield "Server", f"{name} {info.get('valkey_version') or info.get('redis_version', '')}"
    yield "Mode", ", ".join(str(info[key]) for key in ("redis_mode", "role") if key in info)
    if "uptime_in_seconds" in info:
        yield "Up for", show.duration(1000 * info["uptime_in_seconds"])
    if "used_memory" in info:
        limit = info.get("maxmemory", 0)
        of = f"of {show.size(limit)} ({info['used_memory'] / limit:.0%})" if limit else "without a limit"
        yield "Memory", f"{show.size(info['used_memory'])} {of}"
    yield "Eviction", info.get("maxmemory_policy", show.NOTHING)
    yield "AOF", "on" if info.get("aof_enabled") else "off"
    if info.get("rdb_saves", 1) and (saved := info.get("rdb_last_save_time")):
        yield "Last snapshot", show.moment(datetime.fromtimestamp(saved, UTC))
    if "connected_clients" in info:
        limit = info.get("maxclients")
        yield "Clients", show.number(info["connected_clients"]) + (f" of {show.number(limit)}" if limit else "")
