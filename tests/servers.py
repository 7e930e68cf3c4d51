"""Private Redis and Valkey servers, started from a binary, each in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeAlias
from urllib.parse import quote

import redis

from tests.needs import SERVER, find, require
from tests.support import wait_until

if TYPE_CHECKING:
    from types import TracebackType

Kind: TypeAlias = Literal["redis", "valkey"]

#: The need (see tests/needs.py) behind each kind.
BINARIES: dict[Kind, str] = {"redis": "redis-server", "valkey": "valkey-server"}
#: Every server that the store is tested on: the one that was chosen, else each kind.
KINDS: tuple[Kind, ...] = tuple(
    kind for kind, name in BINARIES.items() if Path(os.environ.get(SERVER, name)).name == name
)
#: Seconds that a server may take to answer its first PING, or to end.
PATIENCE_S = 10.0
#: Processes whose numbers are near each other, as those of one run, begin 200 ports apart.
_PORTS = islice(cycle(range(12_000, 32_000)), os.getpid() % 100 * 200, None)


def default_kind() -> Kind:
    """Return the kind for tests that need just one: the machine's Redis, else the packaged Valkey."""
    return KINDS[0] if find(BINARIES[KINDS[0]]) else KINDS[-1]


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody else gets: each process of tests has ports of its own.

    Below those that systems give to clients (from 32768), which may take one before its server has it.
    """
    while True:
        port = next(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@dataclass
class RedisServer:
    """One server process on a Unix socket, or on a free port of 127.0.0.1 with `tcp`.

    It may be stopped, killed and started again: folder, address and, with `appendonly`, data stay the same. As a
    context manager it is started on entry; `close` ends it for good and removes its folder.

    Args:
        kind: Which binary to start.
        tcp: Listen on a port instead of a socket.
        appendonly: Keep the data over a restart (every write is synced).
        password: Ask clients for it.
        maxmemory: As Redis spells it ("10mb"); writes beyond are refused.
        options: More settings of redis.conf, by name.
    """

    kind: Kind = field(default_factory=default_kind)
    tcp: bool = False
    appendonly: bool = False
    password: str | None = None
    maxmemory: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._binary = require(BINARIES[self.kind])
        # A folder right under the temporary one: a socket's path may have about 100 bytes, and tmp_path has more.
        self.folder = Path(tempfile.mkdtemp(prefix="fq-"))
        self.port = free_port() if self.tcp else 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for clients, password included."""
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        if self.tcp:
            return f"redis://{login}127.0.0.1:{self.port}/0"
        return f"unix://{login}{self.folder / 'redis.sock'}"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server has printed, over all its starts."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def client(self, *, protocol: int = 3) -> redis.Redis:
        """Return a new client, to be closed by the caller.

        Args:
            protocol: RESP version.
        """
        return redis.Redis.from_url(self.url, protocol=protocol, socket_timeout=PATIENCE_S)

    def start(self) -> Self:
        """Start the server and return once it answers."""
        assert self._process is None, "the server is running already"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, *self._arguments()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._answers, PATIENCE_S, what=f"{self._binary} answers")
        return self

    def stop(self) -> None:
        """End the server as an administrator would (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the server and start it anew at the same address."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Make the server hang: connections stay open, nothing is answered, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End the server, if it runs, and remove its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _arguments(self) -> list[str]:
        settings = {
            "dir": str(self.folder),
            "port": str(self.port),
            "save": "",
            "appendonly": "yes" if self.appendonly else "no",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        settings |= {"bind": "127.0.0.1"} if self.tcp else {"unixsocket": str(self.folder / "redis.sock")}
        settings |= {"requirepass": self.password} if self.password else {}
        settings |= {"maxmemory": self.maxmemory} if self.maxmemory else {}
        settings |= self.options
        return [word for name, value in settings.items() for word in (f"--{name}", value)]

    def _answers(self) -> bool:
        assert self._process is not None
        if (status := self._process.poll()) is not None:
            self._process = None
            raise AssertionError(f"{self._binary} ended with status {status}:\n{self.log}")
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:  # not up yet, or still loading its data
                return False

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server is not running"
        process, self._process = self._process, None
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)  # a frozen one would never see SIGTERM
        process.wait(PATIENCE_S)
