"""What a server's answer says of the server, and what only of one command."""

from __future__ import annotations

import pytest
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError, TimeoutError

from flask_queue.store.conditions import is_away, meaning

IN_SCRIPT = "Error running script (call to f_6b1bf486): @user_script:3: @user_script: 3: -{} it said why"


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
        (ReadOnlyError("You can't write against a read only replica."), "replica"),
        (ResponseError(IN_SCRIPT.format("READONLY")), "replica"),
        (ResponseError("BUSY Redis is busy running a script."), "script"),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), "disk"),
        (ResponseError(IN_SCRIPT.format("MISCONF")), "disk"),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), "replicas"),
    ],
)
def test_a_server_that_works_for_nobody_is_away(error: RedisError, word: str) -> None:
    """Also where an old server tells of it inside the error of a script."""
    assert is_away(error)
    known = meaning(error)
    assert known is not None
    assert word in known[0]


@pytest.mark.parametrize(
    "error",
    [
        ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
        ResponseError("ERR unknown command"),
        ResponseError("ERR wrong type of: -BUSYGROUP"),
    ],
)
def test_what_is_about_one_command_says_nothing_of_the_server(error: RedisError) -> None:
    """Other queues go on then."""
    assert not is_away(error)
    assert meaning(error) is None


def test_a_full_server_is_not_away() -> None:
    """Workers make room."""
    assert not is_away(OutOfMemoryError("command not allowed when used memory > 'maxmemory'."))


def test_whatever_ends_a_connection_is_an_outage() -> None:
    """And means no more than that."""
    assert is_away(TimeoutError("Timeout reading from socket"))
    assert meaning(TimeoutError("Timeout reading from socket")) is None
