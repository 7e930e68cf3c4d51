"""A primary, its replica, and three Sentinels that watch them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import redis

from tests.servers import PATIENCE_S, RedisServer
from tests.support import wait_until

if TYPE_CHECKING:
    from types import TracebackType

SERVICE = "main"


@dataclass
class SentinelServer(RedisServer):
    """A Sentinel of a service whose primary is at a port of this machine, with a password of its own."""

    tcp: bool = True
    watched_port: int = 0
    watched_password: str = ""
    quorum: int = 2

    def _arguments(self) -> list[str]:
        path = self.folder / "sentinel.conf"
        if not path.exists():  # it keeps there what it learns
            path.write_text(self._settings())
        return [str(path), "--sentinel"]

    def _settings(self) -> str:
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.folder}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.watched_port} {self.quorum}",
            f"sentinel down-after-milliseconds {SERVICE} 1000",
            f"sentinel failover-timeout {SERVICE} 5000",
            *(f"{name} {value}" for name, value in self.options.items()),
        ]
        if self.password:
            lines += [f"requirepass {self.password}", f"sentinel sentinel-pass {self.password}"]
        if self.watched_password:
            lines.append(f"sentinel auth-pass {SERVICE} {self.watched_password}")
        return "\n".join(lines)

    def client(self, *, protocol: int = 2) -> redis.Redis:
        """Return a new client, to be closed by the caller."""
        tls_port = self.options.get("tls-port")
        if tls_port is None:
            return redis.Redis(port=self.port, password=self.password, protocol=protocol, socket_timeout=PATIENCE_S)
        ca = self.options["tls-ca-cert-file"]
        return redis.Redis(
            "127.0.0.1", int(tls_port), ssl=True, ssl_ca_certs=ca, protocol=protocol, socket_timeout=PATIENCE_S
        )


class Watched:
    """The five of them; started on entry, gone at the end. Servers and Sentinels ask for passwords."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        login = {"password": "hush", "tcp": True, "options": {"masterauth": "hush", "repl-diskless-sync-delay": "0"}}
        self.primary = RedisServer(**login)  # type: ignore[arg-type]
        self.replica = RedisServer(**login)  # type: ignore[arg-type]
        self.replica.options = {**self.replica.options, "replicaof": f"127.0.0.1 {self.primary.port}"}
        port = self.primary.port
        self.sentinels = [
            SentinelServer(watched_port=port, watched_password="hush", password="quiet-one") for _ in range(3)
        ]

    @property
    def url(self) -> str:
        """The address for clients."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://:hush@{hosts}/{SERVICE}/0?sentinel_password=quiet-one"

    def __enter__(self) -> Self:
        try:
            for server in (self.primary, self.replica, *self.sentinels):
                self._stack.callback(server.close)
                server.start()
            wait_until(self._is_watched, PATIENCE_S, what="the Sentinels know each other and the replica")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def primary_port(self) -> int:
        """Where the Sentinels say that the primary is."""
        return int(self._state(self.sentinels[0])["port"])

    def _is_watched(self) -> bool:
        states = [self._state(sentinel) for sentinel in self.sentinels]
        with self.primary.client() as client:
            is_replicated = client.info("replication")["connected_slaves"] == 1
        return is_replicated and all(state["num-slaves"] == 1 and state["num-other-sentinels"] == 2 for state in states)

    def _state(self, sentinel: SentinelServer) -> dict[str, Any]:
        with sentinel.client() as client:
            found: dict[str, Any] = client.sentinel_masters()[SERVICE]
            return found
