"""A connection that each thread keeps."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from redis import Redis
from redis.exceptions import ResponseError

from .conditions import is_replicas

#: A server on the same machine answers within this.
NEAR_S = 0.000_2
#: Up to so many replies are slept for after one that took longer: of a server that is near, one now and then does.
SLEEPS = 32
#: Windows has neither.
_CAN_STAY_AWAKE = hasattr(select, "poll") and hasattr(os, "sched_yield")


class OwnConnection:
    """Runs commands on a connection of the calling thread's own.

    A client takes one from its pool for each command, looks whether it is alive, and gives it back, with more around
    it: a quarter of the processor time of a dispatch. Here a connection that has died is noticed when it is used, and
    the caller tries again; or, for one who cannot, before it is (`looks_first`). It goes back to the pool with its
    thread.

    A reply of a server on the same machine is waited for awake: to sleep and be woken takes longer than the server
    does, and no less processor time. Where the server is further away, a thread sleeps, and tries again now and then.
    """

    def __init__(self, client: Redis, *, looks_first: bool = False) -> None:
        self._pool = client.connection_pool
        self._looks_first = looks_first and _CAN_STAY_AWAKE
        self._kept = _Kept()

    def execute_command(self, *command: Any) -> Any:
        """Run one command; its reply. Raises the client library's errors."""
        return self.execute_packed(self._connection().pack_command(*command))

    def execute_packed(self, packed: Sequence[bytes]) -> Any:
        """Run one command that is in the form of Redis's protocol already; as `execute_command`."""
        connection = self._connection()
        try:
            connection.send_packed_command(packed)
            if not self._looks_first:
                self._stay_awake(getattr(connection, "_sock", None))
            return connection.read_response()
        except ResponseError as error:
            if is_replicas(error):
                # Another server may be the primary by now.
                self._let_go()
            raise
        except BaseException:
            # Between question and answer: the next question would get this answer.
            self._let_go()
            raise

    def execute_all(self, commands: Sequence[Sequence[bytes]]) -> list[Any]:
        """Run packed commands in one round trip: for each its reply, or the error with which the server answered it."""
        connection = self._connection()
        try:
            connection.send_packed_command([b"".join(part for packed in commands for part in packed)])
            replies = [_answer(connection) for _ in commands]
        except BaseException:
            self._let_go()
            raise
        if any(is_replicas(reply) for reply in replies if isinstance(reply, ResponseError)):
            self._let_go()
        return replies

    def execute_each(self, commands: Iterable[Sequence[bytes]]) -> Iterator[Any]:
        """Run packed commands. Each is sent before the reply to the one before is given, so that the server works on.

        It has a connection of the pool to itself: whoever takes the replies may run other commands between two of them.
        An error, or no wish for the rest, closes it; commands that were sent may be carried out all the same.
        """
        client = Redis(connection_pool=self._pool, single_connection_client=True)
        connection: Any = client.connection
        try:
            is_first = True
            for packed in commands:
                connection.send_packed_command(packed)
                if not is_first:
                    yield connection.read_response()
                is_first = False
            yield connection.read_response()
        except BaseException:
            connection.disconnect()
            raise
        finally:
            client.close()

    def _stay_awake(self, sock: Any) -> None:
        """Until the reply is there, or NEAR_S are over."""
        kept = self._kept
        if sock is None or not _CAN_STAY_AWAKE:
            return
        if kept.sleeps:
            kept.sleeps -= 1
            return
        kept.watch(sock)
        until_s = time.perf_counter() + NEAR_S
        while not kept.look(0):
            if time.perf_counter() > until_s:
                kept.sleeps = kept.pause = min(SLEEPS, 2 * kept.pause or 1)
                return
            # The server may need this very processor: without this, four busy senders on two are half as fast.
            os.sched_yield()
        kept.pause = 0

    def _connection(self) -> Any:
        kept = self._kept
        if kept.pid != os.getpid():
            # A client that has one connection is the library's way to keep it until the client is gone.
            kept.client = Redis(connection_pool=self._pool, single_connection_client=True)
            kept.pid = os.getpid()
        connection: Any = kept.client.connection
        if self._looks_first and kept.has_something(getattr(connection, "_sock", None)):
            # Nothing was asked: that it is closed is all that there can be to read.
            self._let_go()
            return self._connection()
        return connection

    def _let_go(self) -> None:
        """Close the connection. The pool knows where the next one leads to."""
        # First: an interrupt in the middle of this must not leave a closed client to the next command.
        self._kept.pid = 0
        self._kept.client.connection.disconnect()
        self._kept.client.close()


class _Kept(threading.local):
    pid = 0
    client: Any = None
    #: How many of the next replies to sleep for, and how many it were at first.
    sleeps = 0
    pause = 0
    watched: Any = None
    #: Whether there is something to read: `select.poll.poll` of the watched socket.
    look: Any = None

    def has_something(self, sock: Any) -> bool:
        """Whether there is something to read."""
        if sock is None:
            return False
        self.watch(sock)
        return bool(self.look(0))

    def watch(self, sock: Any) -> None:
        """Look at this socket from now on; the library makes one for each new connection."""
        if sock is not self.watched:
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            self.watched, self.look = sock, poll.poll


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


#: What runs commands and scripts.
Client: TypeAlias = Redis | OwnConnection
