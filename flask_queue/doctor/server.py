"""Looks at the server: what it is, how it is set up, whether it lets us work."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from ..broker import QueueBroker
from ..store.conditions import is_replicas
from ..store.connect import PERMISSIONS, is_forbidden
from ..store.keys import QueueKeys
from ..store.scripts import Call, load, run
from .finding import Finding, Level

#: What the scripts were written for.
OLDEST = {"Redis": (6, 2), "Valkey": (7, 2)}
#: Beyond it, times that hosts reckon with are visibly off.
SKEW_S = 1.0
#: The clock is read so often, and the quickest answer counts.
_READINGS = 3


def look_at_version(broker: QueueBroker) -> Iterator[Finding]:
    """Whether the server is recent enough."""
    info: Any = broker.store.client.info("server")
    name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    text = str(info.get("valkey_version") or info.get("redis_version", "unknown"))
    oldest = OLDEST[name]
    if _version(text) >= oldest:
        yield Finding("version", Level.OK, f"{name} {text}")
        return
    wanted = " or ".join(f"{each} {major}.{minor}" for each, (major, minor) in OLDEST.items())
    yield Finding("version", Level.ERROR, f"{name} {text} is too old", f"Run at least {wanted}.")


def look_at_eviction(broker: QueueBroker) -> Iterator[Finding]:
    """Whether the server throws jobs away when its memory is full."""
    info: Any = broker.store.client.info("memory")
    policy, limit = info.get("maxmemory_policy"), info.get("maxmemory", 0)
    if policy is None:
        yield Finding("eviction", Level.WARNING, "the eviction policy could not be read", "It must be noeviction.")
    elif policy == "noeviction":
        yield Finding("eviction", Level.OK, "the eviction policy is noeviction")
    elif limit:
        message = f"the eviction policy is {policy}: at maxmemory the server deletes jobs"
        yield Finding("eviction", Level.ERROR, message, "Set maxmemory-policy to noeviction.")
    else:
        message = f"the eviction policy is {policy}: once maxmemory is set, the server deletes jobs"
        yield Finding("eviction", Level.WARNING, message, "Set maxmemory-policy to noeviction.")


def look_at_persistence(broker: QueueBroker) -> Iterator[Finding]:
    """Whether jobs outlive the server's process."""
    info: Any = broker.store.client.info("persistence")
    remedy = "Set appendonly to yes (and appendfsync to everysec or always)."
    for key, what in (("aof_last_write_status", "append-only file"), ("rdb_last_bgsave_status", "last snapshot")):
        if info.get(key, "ok") != "ok":
            message = f"the server could not write its {what}"
            yield Finding("persistence", Level.ERROR, message, "Look at its log and at the disk's free space.")
    if info.get("aof_enabled"):
        yield Finding("persistence", Level.OK, "jobs are kept in an append-only file")
        return
    save = _save_points(broker.store.client)
    if save is None:
        message = "there is no append-only file, and whether there are snapshots could not be read"
        yield Finding("persistence", Level.WARNING, message, "Make sure that your provider keeps data over a restart.")
    elif save:
        yield Finding("persistence", Level.OK, "jobs are kept in snapshots: a crash loses what came since the last one")
    else:
        message = "the server keeps nothing: a restart loses all jobs"
        yield Finding("persistence", Level.ERROR, message, remedy)


def look_at_clock(broker: QueueBroker) -> Iterator[Finding]:
    """Whether this host and the server agree about the time."""
    skew_s = _skew_s(broker.store.client)
    if abs(skew_s) <= SKEW_S:
        yield Finding("clock", Level.OK, f"the clocks of this host and the server agree to {SKEW_S:g} s")
        return
    side = "ahead of" if skew_s < 0 else "behind"
    message = f"this host's clock is {abs(skew_s):.1f} s {side} the server's"
    yield Finding(
        "clock", Level.WARNING, message, "Synchronise both (NTP): jobs dispatched with a time are off by that."
    )


def look_at_scripts(broker: QueueBroker) -> Iterator[Finding]:
    """Whether our scripts may run and write, on each queue and on what workers share."""
    client, prefix = broker.store.client, broker.config.prefix
    # Scripts that read, and scripts that write nothing of note here: a worker without a name signs off.
    calls = [Call(load("sign_off"), QueueKeys(prefix, ""), [""])]
    for queue in broker.queues:
        keys = QueueKeys(prefix, queue)
        calls += [Call(load("counts"), keys, [keys.tag]), Call(load("leave"), keys, [""])]
    try:
        for call in calls:
            run(client, call)
    except ResponseError as error:
        if is_replicas(error):
            message = "the server is a read-only replica"
            yield Finding("scripts", Level.ERROR, message, "Set QUEUE_REDIS_URL to the primary.")
        elif is_forbidden(error):
            remedy = f"Grant its user ~{{{prefix}:* ~{prefix}:audit {PERMISSIONS} with ACL SETUSER."
            yield Finding("scripts", Level.ERROR, f"the server does not let scripts run: {error}", remedy)
        else:
            yield Finding("scripts", Level.ERROR, f"scripts fail: {error}", "See what the server says there.")
    else:
        yield Finding("scripts", Level.OK, "scripts run")


def _version(text: str) -> tuple[int, ...]:
    parts = text.split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def _save_points(client: Redis) -> str | None:
    """The rule for snapshots, empty for none; None where the server does not tell."""
    try:
        found: Mapping[Any, Any] = client.config_get("save")
    except ResponseError:
        return None
    return found.get("save")


def _skew_s(client: Redis) -> float:
    """How far the server's clock is ahead of this host's; half of the way there and back is taken off."""
    readings = []
    for _ in range(_READINGS):
        before_s, started_s = time.time(), time.monotonic()
        seconds, micros = client.time()
        took_s = time.monotonic() - started_s
        readings.append((took_s, seconds + micros / 1e6 - before_s - took_s / 2))
    return min(readings)[1]
