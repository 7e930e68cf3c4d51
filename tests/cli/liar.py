"""A proxy in front of a real server that changes single answers: for what no server at hand can be brought to say."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedIOBase

    from tests.servers import RedisServer

    #: The raw reply of the server to a command → the raw reply that is passed on.
    Change = Callable[[bytes], bytes]


@contextmanager
def lying(server: RedisServer, changes: dict[str, Change]) -> Iterator[str]:
    """The address of a proxy that passes all replies on, those to these commands (`TIME`, `INFO`) changed."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as upstream:
                upstream.connect(str(server.folder / "redis.sock"))
                replies = upstream.makefile("rb")
                while command := _read(self.rfile):
                    upstream.sendall(command)
                    reply, change = _read(replies), changes.get(command.split(b"\r\n")[2].decode())
                    self.wfile.write(change(reply) if change else reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as proxy:
        proxy.daemon_threads = True
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"redis://127.0.0.1:{proxy.server_address[1]}/0"
        finally:
            proxy.shutdown()
            thread.join()


def replacing(old: bytes, new: bytes) -> Change:
    """Replaces words in a bulk text, which may become shorter or longer."""

    def change(reply: bytes) -> bytes:
        if old not in reply:
            return reply
        head, _, body = reply.partition(b"\r\n")
        text = body[:-2].replace(old, new)
        return b"%c%d\r\n%s\r\n" % (head[0], len(text), text)

    return change


def _read(stream: BufferedIOBase) -> bytes:
    """One whole value of RESP2 or RESP3, as it was sent; nothing at the end."""
    line = stream.readline()
    kind, size = line[:1], line[1:-2]
    if kind in b"$=!" and kind and size != b"-1":
        return line + stream.read(int(size) + 2)
    if kind in b"*~>%" and kind and size != b"-1":
        return line + b"".join(_read(stream) for _ in range(int(size) * (2 if kind == b"%" else 1)))
    return line
