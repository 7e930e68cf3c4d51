"""Connections: how many there may be, and that they are closed."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from redis import Connection
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from flask_queue.store import own_connection
from flask_queue.store.connect import make_client
from flask_queue.store.own_connection import SLEEPS, OwnConnection
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
        store.enqueue("q", [])
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


def pack(*command: str) -> list[bytes]:
    """In the form of Redis's protocol."""
    packed: list[bytes] = Connection().pack_command(*command)
    return packed


@pytest.fixture
def own(redis_url: str) -> Iterator[OwnConnection]:
    """As dispatches use it."""
    with closing(make_client(redis_url, timeout_s=5)) as client:
        yield OwnConnection(client)


def test_a_thread_keeps_its_connection_and_gives_it_back_at_its_end(
    own: OwnConnection, redis_client: redis.Redis
) -> None:
    """However many threads come and go, as those of a web server do."""
    ids: list[int] = []

    def ask() -> None:
        ids.extend(own.execute_command("CLIENT", "ID") for _ in range(2))

    for _ in range(20):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert ids == [ids[0]] * 40
    ask()
    assert ours(redis_client) == 1


@pytest.mark.parametrize("interrupted_at", [["read_response"], ["read_response", "disconnect"]], ids=str)
def test_an_answer_that_nobody_waited_for_answers_no_other_question(
    own: OwnConnection, monkeypatch: pytest.MonkeyPatch, interrupted_at: list[str]
) -> None:
    """An interrupt between question and answer closes the connection, also where another comes while it does."""
    connection = own._connection()
    with monkeypatch.context() as patch:

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        for name in interrupted_at:
            patch.setattr(connection, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            own.execute_command("ECHO", "first")
    assert own.execute_command("ECHO", "second") == b"second"


def test_a_connection_that_was_closed_is_an_error_once(own: OwnConnection, redis_client: redis.Redis) -> None:
    """The next command opens another."""
    own.execute_command("PING")
    redis_client.client_kill_filter(_id=own.execute_command("CLIENT", "ID"))
    with pytest.raises(ConnectionLost):
        own.execute_command("PING")
    assert own.execute_command("PING")


def test_a_connection_that_was_closed_is_noticed_first(redis_url: str, redis_client: redis.Redis) -> None:
    """By one who looks before each command."""
    with closing(make_client(redis_url, timeout_s=5)) as client:
        own = OwnConnection(client, looks_first=True)
        before = own.execute_command("CLIENT", "ID")
        redis_client.client_kill_filter(_id=before)
        wait_until(lambda: ours(redis_client) == 0)
        assert own.execute_command("CLIENT", "ID") > before
        redis_client.client_kill_filter(_id=own.execute_command("CLIENT", "ID"))
        wait_until(lambda: ours(redis_client) == 0)
        assert own.execute_all([pack("ECHO", "1"), pack("ECHO", "2")]) == [b"1", b"2"]


def test_errors_among_many_replies_are_given_in_their_place(own: OwnConnection) -> None:
    """Those behind them are replies to their own questions."""
    first, error, last = own.execute_all([pack("ECHO", "1"), pack("LPOP", "a", "b", "c"), pack("ECHO", "2")])
    assert (first, last) == (b"1", b"2")
    assert isinstance(error, ResponseError)
    assert own.execute_command("ECHO", "3") == b"3"


def test_many_replies_that_nobody_waited_for_answer_no_other_question(
    own: OwnConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do those of one that was interrupted after the first, or was asked for no more."""
    replies = own.execute_each([pack("ECHO", str(number)) for number in range(5)])
    assert next(replies) == b"0"
    assert own.execute_command("ECHO", "between") == b"between"
    del replies
    connection = own._connection()
    read_response, read = connection.read_response, [1]

    def interrupted() -> object:
        if not read:
            raise KeyboardInterrupt
        read.pop()
        return read_response()

    with monkeypatch.context() as patch:
        patch.setattr(connection, "read_response", interrupted)
        with pytest.raises(KeyboardInterrupt):
            own.execute_all([pack("ECHO", "1"), pack("ECHO", "2")])
    assert own.execute_command("ECHO", "3") == b"3"
    assert list(own.execute_each([pack("ECHO", "4"), pack("ECHO", "5")])) == [b"4", b"5"]


def test_a_forked_process_has_a_connection_of_its_own(own: OwnConnection) -> None:
    """The parent's goes on being the parent's."""
    before = own.execute_command("CLIENT", "ID")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, str(own.execute_command("CLIENT", "ID")).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert int(os.read(read, 100)) != before
    assert own.execute_command("CLIENT", "ID") == before
    os.close(read)
    os.close(write)


def test_a_reply_that_comes_at_once_is_not_slept_for(own: OwnConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there before anything blocks."""
    monkeypatch.setattr(own_connection, "NEAR_S", 5)
    connection = own._connection()
    read_response, was_there = connection.read_response, []

    def read() -> object:
        was_there.append(bool(select.select([connection._sock], [], [], 0)[0]))
        return read_response()

    monkeypatch.setattr(connection, "read_response", read)
    for number in range(20):
        assert own.execute_command("ECHO", str(number)) == str(number).encode()
    assert was_there == [True] * 20


def test_a_reply_that_takes_its_time_is_slept_for(
    own: OwnConnection, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so are those that follow: one after the first, 32 after the sixth in succession."""
    own.execute_command("PING")
    own._kept.pause = 0
    for pause in (1, 2, 4, 8, 16, SLEEPS, SLEEPS):
        own._kept.sleeps = 0
        redis_client.client_pause(50)
        before_s = time.thread_time()
        own.execute_command("SET", "key", "value")
        assert time.thread_time() - before_s < 0.02
        assert own._kept.sleeps == pause
    own.execute_command("PING")
    assert own._kept.sleeps == SLEEPS - 1
    monkeypatch.setattr(own_connection, "NEAR_S", 5)
    own._kept.sleeps = 0
    own.execute_command("PING")
    assert (own._kept.sleeps, own._kept.pause) == (0, 0)


def test_where_a_thread_cannot_stay_awake_it_sleeps(own: OwnConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, or with a client library whose connections are made otherwise."""
    monkeypatch.setattr(own_connection, "_CAN_STAY_AWAKE", False)
    assert own.execute_command("ECHO", "1") == b"1"
    monkeypatch.setattr(own_connection, "_CAN_STAY_AWAKE", True)
    own._stay_awake(None)
    assert own._kept.watched is None
