"""A client of a cluster. Each command goes to the node that has its queue; that is found out when it is needed.

The client library has one as well. That connects when it is made, where an app may start before Redis does, and it
repeats commands and looks for nodes in its own time, where a dispatch has a deadline.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any, TypeAlias
from urllib.parse import urlencode

from redis import Connection, ConnectionPool, Redis, SSLConnection
from redis.client import Pipeline
from redis.connection import parse_url
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ..redis_url import RedisUrl
from .conditions import is_away

SLOTS = 16384
#: A command is sent to so many nodes at most; a second one is needed where its queue has moved.
_TRIES = 3
#: Of the time-out: for a node to connect, and to answer where the slots are. So four silent ones use it up.
_ASKING_SHARE = 1 / 8
#: Commands that name no key; the others name it first, scripts after their text and the number of keys.
_WITHOUT_KEY = frozenset(("PING", "INFO", "TIME", "CONFIG", "CLIENT", "ACL"))
_SCRIPTS = frozenset(("EVAL", "EVALSHA"))

_MOVED = re.compile(r"MOVED (\d+) (\S*):(\d+)")

Address: TypeAlias = tuple[str, int]
Command: TypeAlias = tuple[Sequence[Any], dict[str, Any]]


class NotConnected(RedisConnectionError):
    """A node could not be reached, so nothing was sent to it."""


class _Reached:
    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]  # that of the connection it is mixed into
        except RedisConnectionError as error:
            # Others tell of a login, or of a node that loads its data.
            if type(error) is RedisConnectionError:
                raise NotConnected(str(error)) from error
            raise


class _PlainConnection(_Reached, Connection):
    pass


class _TlsConnection(_Reached, SSLConnection):
    pass


class ClusterClient(Redis):
    """Commands of one key, or of several under one hash tag; pipelines of any. Safe to share between threads.

    Args:
        url: some of the nodes; the others are learnt from them.
        options: of each connection.
    """

    def __init__(self, url: RedisUrl, options: dict[str, Any]) -> None:
        given = parse_url(f"redis://?{urlencode(url.options)}")
        login = {"username": url.username, "password": url.password}
        self._options = {
            "connection_class": _TlsConnection if url.tls else _PlainConnection,
            **options,
            **given,
            **login,
        }
        self.hosts = url.hosts
        #: Whom to ask where the slots are, the last who answered first.
        self._known: list[Address] = list(url.hosts)
        self._known_primaries: Sequence[Address] = ()
        self._places: list[Address | None] = [None] * SLOTS
        self._nodes: dict[Address, Redis] = {}
        self._is_stale = True
        self._lock = Lock()
        super().__init__(connection_pool=self._pool(url.hosts[0]))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run one command where its key is; one without a key anywhere."""
        slot = _slot(args)
        if slot is None:
            return self._run_anywhere(args, options)
        for tries_left in reversed(range(_TRIES)):
            address = self._place(slot)
            try:
                return self._nodes[address].execute_command(*args, **options)
            except RedisError as error:
                self._note(error, address)
                if not (tries_left and self._is_elsewhere(error, slot, address)):
                    raise
        raise AssertionError("unreachable")

    def execute_all(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, each where its key is, in one round trip for each node; returns replies, or errors."""
        replies: list[Any] = [None] * len(commands)
        parts: dict[Address, list[int]] = defaultdict(list)
        for index, (args, _) in enumerate(commands):
            parts[self._place(_slot(args) or 0)].append(index)
        for address, part in parts.items():
            for index, reply in zip(part, self._send(address, [commands[each] for each in part]), strict=True):
                replies[index] = reply
                if isinstance(reply, RedisError) and self._is_elsewhere(reply, _slot(commands[index][0]) or 0, address):
                    replies[index] = self._repeat(*commands[index])
        return replies

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Commands that go out together. They are no transaction."""
        assert not transaction, "a cluster has transactions on one node only"
        return _ClusterPipeline(self)

    def info(self, section: str | None = None, *args: str, **options: Any) -> Any:
        """What the primary says of itself that was started last."""
        found: list[Any] = [node.info(section, *args, **options) for node in self._primaries()]
        return min(found, key=lambda each: each.get("uptime_in_seconds", 0))

    def scan_iter(self, *args: Any, **options: Any) -> Iterator[Any]:
        """The keys of all nodes."""
        for node in self._primaries():
            yield from node.scan_iter(*args, **options)

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        for node in list(self._nodes.values()):
            node.close()

    def _primaries(self) -> list[Redis]:
        self._learn()
        return [self._nodes[address] for address in self._known_primaries]

    def _run_anywhere(self, args: Sequence[Any], options: dict[str, Any]) -> Any:
        away: RedisError = RedisConnectionError("it has no nodes")
        for node in self._primaries():
            try:
                return node.execute_command(*args, **options)
            except (RedisConnectionError, RedisTimeoutError) as error:
                self._is_stale = True
                away = error
        raise away

    def _send(self, address: Address, commands: Sequence[Command]) -> Sequence[Any]:
        try:
            with self._nodes[address].pipeline(transaction=False) as pipeline:
                for args, options in commands:
                    pipeline.execute_command(*args, **options)
                replies = pipeline.execute(raise_on_error=False)
        except RedisError as error:
            replies = [error] * len(commands)
        for reply in replies:
            if isinstance(reply, RedisError):
                self._note(reply, address)
        return replies

    def _repeat(self, args: Sequence[Any], options: dict[str, Any]) -> Any:
        try:
            return self.execute_command(*args, **options)
        except RedisError as error:
            return error

    def _place(self, slot: int) -> Address:
        self._learn()
        address = self._places[slot]
        if address is None:
            self._is_stale = True
            raise RedisConnectionError("none of its nodes has this queue")
        return address

    def _note(self, error: RedisError, asked: Address) -> None:
        """Learn from an error where a slot is, or that this is in doubt: a replica may have taken over."""
        if moved := _moved(error):
            slot, host, port = moved
            address = (host or asked[0], port)
            with self._lock:
                self._add(address)
                self._places[slot] = address
        elif is_away(error):
            self._is_stale = True

    def _is_elsewhere(self, error: RedisError, slot: int, asked: Address) -> bool:
        """Whether another node has a slot than the one that was asked, and did nothing."""
        if not isinstance(error, NotConnected) and _moved(error) is None:
            return False
        try:
            return self._place(slot) != asked
        except RedisError:
            return False

    def _learn(self) -> None:
        """Find out where the slots are, if that is in doubt.

        Raises:
            RedisError: of the last node that was asked.
        """
        if not self._is_stale:
            return
        with self._lock:
            if self._is_stale:
                self._take(*self._ask())
                self._is_stale = False

    def _ask(self) -> tuple[Address, Sequence[Any]]:
        """Who answered where the slots are, and what."""
        until_s = time.monotonic() + self._options["socket_timeout"]
        each_s = self._options["socket_timeout"] * _ASKING_SHARE
        away: RedisError = RedisConnectionError("it has no nodes")
        for address in list(self._known):
            if time.monotonic() >= until_s:
                break
            pool = self._pool(address, socket_timeout=each_s, socket_connect_timeout=each_s)
            try:
                with Redis.from_pool(pool) as client:
                    return address, client.execute_command("CLUSTER", "SLOTS")
            except RedisError as error:
                away = error
        raise away

    def _take(self, asked: Address, ranges: Sequence[Any]) -> None:
        places: list[Address | None] = [None] * SLOTS
        for first, last, (host, port, *_), *_ in ranges:
            # A node that does not know its own name leaves it out.
            address = (host.decode() if host else asked[0], port)
            self._add(address)
            places[first : last + 1] = [address] * (last + 1 - first)
        primaries = tuple(dict.fromkeys(address for address in places if address is not None))
        self._places, self._known_primaries = places, primaries
        self._known = list(dict.fromkeys([asked, *self.hosts, *primaries]))
        for address in self._nodes.keys() - set(primaries):
            self._nodes[address].connection_pool.disconnect(inuse_connections=False)

    def _add(self, address: Address) -> None:
        if address not in self._nodes:
            self._nodes[address] = Redis.from_pool(self._pool(address))

    def _pool(self, address: Address, **options: Any) -> ConnectionPool:
        return ConnectionPool(**{**self._options, "host": address[0], "port": address[1], **options})


class _ClusterPipeline(Pipeline):
    def __init__(self, cluster: ClusterClient) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, False, None)
        self._cluster = cluster

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, self.command_stack = self.command_stack, []
        replies = self._cluster.execute_all(commands)
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, RedisError):
                    raise reply
        return replies


def _moved(error: RedisError) -> tuple[int, str, int] | None:
    """Which slot is where now, if that is what a node has answered."""
    if isinstance(error, MovedError):
        return error.slot_id, error.host, error.port
    # Older versions of the client library know such answers in their own cluster client only.
    found = _MOVED.fullmatch(str(error))
    return (int(found[1]), found[2], int(found[3])) if found else None


def _slot(args: Sequence[Any]) -> int | None:
    name = args[0].split(" ", 1)[0]
    if name in _WITHOUT_KEY:
        return None
    key = args[3] if name in _SCRIPTS else args[1]
    return key_slot(key.encode() if isinstance(key, str) else key)
