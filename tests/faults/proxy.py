"""A TCP proxy between a client and its server, which a test can let fail as networks do."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.servers import free_port

if TYPE_CHECKING:
    from types import TracebackType

#: With it, closing a socket sends a reset instead of an orderly end.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a free port of 127.0.0.1 and forwards to another one, each connection on two threads.

    `hold`: nothing gets through, and all of it does once it passes again, as where packets were lost and sent anew.
    `swallow`: connections of that time stay open and dead for good, as where a firewall has forgotten them.
    `refuse`: what is open is closed, and nobody listens. `reset`: what is open is broken; new connections pass.
    `heal` ends each of them.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._target = ("127.0.0.1", port)
        self._passing = threading.Event()
        self._passing.set()
        self._is_swallowing = False
        self._links: list[Link] = []
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def hold(self) -> None:
        self._passing.clear()

    def swallow(self) -> None:
        self._is_swallowing = True
        for link in self._links:
            link.is_dead = True

    def refuse(self) -> None:
        self._stop_listening()
        self._end_links()

    def reset(self) -> None:
        self._end_links(how=socket.SHUT_RD)

    def heal(self) -> None:
        self._is_swallowing = False
        self._passing.set()
        if self._listener is None:
            self._listen()

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._passing.set()
        self.refuse()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake accept
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                link = Link(near, self._passing, is_dead=self._is_swallowing)
                self._links.append(link)
                link.start(self._target)

    def _end_links(self, *, how: int = socket.SHUT_RDWR) -> None:
        for link in self._links:
            link.end(how)
        self._links.clear()


class Link:
    """One connection through the proxy."""

    def __init__(self, near: socket.socket, passing: threading.Event, *, is_dead: bool) -> None:
        self.near = near
        self.is_dead = is_dead
        self._far: socket.socket | None = None
        self._passing = passing

    def start(self, target: tuple[str, int]) -> None:
        """Connect and forward; a dead one leads nowhere."""
        if self.is_dead:
            return
        try:
            self._far = socket.create_connection(target)
        except OSError:
            self.near.close()
            return
        for source, sink in ((self.near, self._far), (self._far, self.near)):
            threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def end(self, how: int = socket.SHUT_RDWR) -> None:
        """Close both ends; where the near one only stops to read, its close is a reset."""
        for end, way in ((self.near, how), (self._far, socket.SHUT_RDWR)):
            if end is None:
                continue
            with suppress(OSError):
                if way == socket.SHUT_RD:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                # A socket stays open while a thread is inside its recv.
                end.shutdown(way)
            end.close()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._passing.wait()
                if not self.is_dead:
                    sink.sendall(data)
        if not self.is_dead:
            self.end()
