"""A cluster of three primaries with a replica each."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from tests.servers import PATIENCE_S, RedisServer, default_kind, free_port
from tests.support import wait_until

if TYPE_CHECKING:
    from types import TracebackType

    from tests.servers import Kind

SLOTS = 16384
PRIMARIES = 3


class Cluster:
    """All six of them; started on entry, gone at the end. The first three servers are the primaries."""

    def __init__(self, kind: Kind | None = None) -> None:
        self._stack = ExitStack()
        self.servers = [
            RedisServer(
                kind=kind or default_kind(),
                tcp=True,
                password="hush",
                options={
                    "masterauth": "hush",
                    "cluster-enabled": "yes",
                    "cluster-port": str(free_port()),
                    "cluster-node-timeout": "1000",
                    "cluster-require-full-coverage": "no",
                    "repl-diskless-sync-delay": "0",
                },
            )
            for _ in range(2 * PRIMARIES)
        ]

    @property
    def url(self) -> str:
        """The address for clients; the others of the six are learnt."""
        return f"redis+cluster://:hush@127.0.0.1:{self.servers[0].port},127.0.0.1:{self.servers[1].port}"

    def __enter__(self) -> Self:
        try:
            for server in self.servers:
                self._stack.callback(server.close)
                server.start()
            self._join()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def server_of(self, key: str) -> RedisServer:
        """The primary that has a key."""
        slot = self._ask(self.servers[-1], "CLUSTER", "KEYSLOT", key)
        for first, last, (_, port, *_), *_ in self._ask(self.servers[-1], "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(server for server in self.servers if server.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def move(self, key: str) -> RedisServer:
        """Move a key's slot, and with it all that is under its hash tag, to another primary, which is returned."""
        source = self.server_of(key)
        target = next(server for server in self.servers[:PRIMARIES] if server is not source)
        slot, ids = self._ask(source, "CLUSTER", "KEYSLOT", key), [self._id(source), self._id(target)]
        self._ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        self._ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        while keys := self._ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 100):
            self._ask(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "AUTH", "hush", "KEYS", *keys)
        for server in (target, source):
            self._ask(server, "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        return target

    def _join(self) -> None:
        first, *others = self.servers
        for number, server in enumerate(self.servers):
            self._ask(server, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < PRIMARIES:
                bounds = (SLOTS * number // PRIMARIES, SLOTS * (number + 1) // PRIMARIES - 1)
                self._ask(server, "CLUSTER", "ADDSLOTSRANGE", *bounds)
        for server in others:
            self._ask(first, "CLUSTER", "MEET", "127.0.0.1", server.port, server.options["cluster-port"])
        wait_until(lambda: all(self._knows(server) == len(self.servers) for server in self.servers), PATIENCE_S)
        for primary, replica in zip(self.servers, self.servers[PRIMARIES:], strict=False):
            self._ask(replica, "CLUSTER", "REPLICATE", self._id(primary))
        wait_until(lambda: all(map(self._is_whole, self.servers)), PATIENCE_S, what="the cluster is whole")

    def _knows(self, server: RedisServer) -> int:
        return int(self._info(server)["cluster_known_nodes"])

    def _is_whole(self, server: RedisServer) -> bool:
        ranges = self._ask(server, "CLUSTER", "SLOTS")
        has_replicas = len(ranges) == PRIMARIES and all(len(each) == 4 for each in ranges)
        if not has_replicas or self._info(server)["cluster_state"] != "ok":
            return False
        with server.client() as client:
            told = client.info("replication")
        return told.get("master_link_status", "up") == "up" and told.get("connected_slaves", 0) in (0, 1)

    def _info(self, server: RedisServer) -> dict[str, str]:
        text = self._ask(server, "CLUSTER", "INFO")
        text = text if isinstance(text, str) else text.decode()
        return dict(line.split(":", 1) for line in text.split())

    def _id(self, server: RedisServer) -> str:
        found = self._ask(server, "CLUSTER", "MYID")
        return found if isinstance(found, str) else found.decode()

    def _ask(self, server: RedisServer, *words: Any) -> Any:
        with server.client() as client:
            return client.execute_command(*words)
