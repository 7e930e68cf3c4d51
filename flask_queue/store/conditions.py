"""What a server says of itself when it is there and does not work: it loads its data, is a replica, is full."""

from __future__ import annotations

import re

from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

#: The client library's own errors, which leave the code out of their text.
_CODES: dict[type[RedisError], str] = {
    BusyLoadingError: "LOADING",
    ReadOnlyError: "READONLY",
    OutOfMemoryError: "OOM",
    MasterDownError: "MASTERDOWN",
    ClusterDownError: "CLUSTERDOWN",
    AskError: "ASK",
    TryAgainError: "TRYAGAIN",
}
#: These are about one command, or one queue.
_NARROW = ("", "OOM", "ASK", "MOVED", "TRYAGAIN")
#: In front, or where Redis 6 tells of a script, inside the text.
_CODE = re.compile(
    r"(?:^|: -)(LOADING|READONLY|OOM|MASTERDOWN|CLUSTERDOWN|ASK|MOVED|TRYAGAIN|BUSY|MISCONF|NOREPLICAS|UNBLOCKED)\b"
)
#: Code → what it means, and what to do.
_MEANING = {
    "LOADING": ("is loading its data", "wait until that is done"),
    "READONLY": ("is a replica, which takes no writes", "set QUEUE_REDIS_URL to the primary"),
    "MASTERDOWN": ("is a replica that has lost its primary", "set QUEUE_REDIS_URL to the primary"),
    "CLUSTERDOWN": ("belongs to a cluster that is down", "look at CLUSTER INFO on its nodes"),
    "ASK": ("moves the queue to another node", "wait until that is done"),
    "MOVED": ("has moved the queue to another node", "wait until all nodes know"),
    "TRYAGAIN": ("moves the queue to another node", "wait until that is done"),
    "OOM": ("is full", "raise its maxmemory, or delete finished jobs with `flask queue clean`"),
    "BUSY": ("is held up by a script", "wait for it, or end it with SCRIPT KILL"),
    "MISCONF": ("cannot write to its disk", "make room there, or look at the server's log"),
    "NOREPLICAS": ("has too few replicas to take writes", "start them, or lower min-replicas-to-write"),
}


def is_away(error: RedisError) -> bool:
    """Whether the server works for nobody now; any other error that it answers with is about that one command.

    A full server is not away: it refuses what needs memory, and what workers do makes room.
    """
    return not isinstance(error, ResponseError) or _code(error) not in _NARROW


def is_replicas(error: Exception) -> bool:
    """Whether it is that of a server which is a replica, or has become one under a wait."""
    return _code(error) in ("READONLY", "MASTERDOWN", "UNBLOCKED")


def meaning(error: Exception) -> tuple[str, str] | None:
    """What the server says of itself, and what to do; None where it says nothing of that kind."""
    return _MEANING.get(_code(error))


def _code(error: Exception) -> str:
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    found = _CODE.search(str(error))
    return found.group(1) if found else ""
