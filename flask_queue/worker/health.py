"""Answers health probes over HTTP: `/livez` and `/readyz`."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread

from ..errors import QueueError
from .leash import Status

#: Seconds for a client to send its request.
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes are told."""

    is_alive: bool
    is_ready: bool
    #: Of each worker process, by process id.
    processes: Mapping[int, Status]


@contextmanager
def serving_health(port: int, look: Callable[[], Health]) -> Iterator[int]:
    """Answer probes on a port of all interfaces inside the block, which gets its number.

    Args:
        port: 0 for any that is free.
        look: tells how things are; called on a thread of the server.

    Raises:
        QueueError: the port cannot be had.
    """
    try:
        server = _make_server(port, look)
    except OSError as error:
        raise QueueError(f"The health port {port} cannot be used ({error.strerror}): give another one.") from None
    thread = Thread(target=server.serve_forever, name="fq-health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], look: Callable[[], Health]) -> None:
        self.look = look
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Probe)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Past HTTPServer's, which asks the resolver for this host's name: that can take seconds.
        TCPServer.server_bind(self)
        self.server_port = self.socket.getsockname()[1]


def _make_server(port: int, look: Callable[[], Health]) -> _Server:
    """On all addresses: of IPv6 and IPv4, or of IPv4 alone, where the machine has no other."""
    try:
        return _Server(("::", port), look)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise
        return _Server(("0.0.0.0", port), look)


class _Probe(BaseHTTPRequestHandler):
    timeout = TIMEOUT_S
    server: _Server

    def do_GET(self) -> None:
        health = self.server.look()
        answers = {"/livez": health.is_alive, "/readyz": health.is_ready}
        is_well = answers.get(self.path.partition("?")[0])
        if is_well is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        processes = [
            {"pid": pid, "alive": status.is_alive, "ready": status.is_ready}
            for pid, status in sorted(health.processes.items())
        ]
        body = json.dumps({"status": "ok" if is_well else "unavailable", "processes": processes}).encode()
        self.send_response(HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every few seconds: nobody wants to read of them."""
