"""A private redis-server without persistence, and what it tells about itself."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What a server has done since it started. Differences tell what some jobs took."""

    #: Commands, those inside of scripts too.
    commands: int
    #: Times that it read from a client: a round trip each, whatever was pipelined in it.
    reads: int
    cpu_s: float

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.commands - other.commands, self.reads - other.reads, self.cpu_s - other.cpu_s)

    def times(self, factor: int) -> Tally:
        """So often as much."""
        return Tally(self.commands * factor, self.reads * factor, self.cpu_s * factor)


class Server:
    """One running server."""

    def __init__(self, client: redis.Redis, port: int) -> None:
        self.client = client
        self.url = f"redis://127.0.0.1:{port}/0"

    def info(self) -> dict[str, Any]:
        """Everything INFO tells."""
        return dict(self.client.info("everything"))

    def tally(self) -> Tally:
        """What it has done so far."""
        info = self.info()
        cpu_s = info["used_cpu_user"] + info["used_cpu_sys"]
        return Tally(info["total_commands_processed"], info["total_reads_processed"], cpu_s)

    def bytes_used(self) -> int:
        """Memory of what is stored: all but that of clients. INFO's own figure for those is some seconds old."""
        used = int(self.client.info("memory")["used_memory"])
        return used - sum(int(client["tot-mem"]) for client in self.client.client_list())


@contextmanager
def serving() -> Iterator[Server]:
    """A new, empty server, until the end of the block."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise SystemExit("No redis-server: install one (Debian: apt install redis-server)")
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    port = _free_port()
    settings = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    words = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
    process = subprocess.Popen([binary, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, socket_timeout=_PATIENCE_S)
    try:
        _await(client)
        server = Server(client, port)
        # Of a command that it has been sent once, a server keeps a histogram of some 20 kB. Not while jobs are weighed.
        server.bytes_used()
        yield server
    finally:
        client.close()
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _await(client: redis.Redis) -> None:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
