"""Answers health probes over HTTP: `/livez` and `/readyz`; and `/metrics`."""

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
from threading import Lock, Thread

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


@dataclass(frozen=True, slots=True)
class Page:
    """A text that is made for each request."""

    content_type: str
    #: May raise QueueError: then it cannot be had now.
    text: Callable[[], str]


@contextmanager
def serving_health(port: int, look: Callable[[], Health], metrics: Page) -> Iterator[int]:
    """Answer probes on a port of all interfaces inside the block, which gets its number.

    Args:
        port: 0 for any that is free.
        look: tells how things are; called on a thread of the server.
        metrics: what `/metrics` answers; one at a time, on a thread of the server.

    Raises:
        QueueError: the port cannot be had.
    """
    try:
        server = _make_server(port, look, metrics)
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

    def __init__(self, address: tuple[str, int], look: Callable[[], Health], metrics: Page) -> None:
        self.look = look
        self.metrics = metrics
        #: However many ask, they take one connection to Redis.
        self.scraping = Lock()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Probe)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Past HTTPServer's, which asks the resolver for this host's name: that can take seconds.
        TCPServer.server_bind(self)
        self.server_port = self.socket.getsockname()[1]


def _make_server(port: int, look: Callable[[], Health], metrics: Page) -> _Server:
    """On all addresses: of IPv6 and IPv4, or of IPv4 alone, where the machine has no other."""
    try:
        return _Server(("::", port), look, metrics)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise
        return _Server(("0.0.0.0", port), look, metrics)


class _Probe(BaseHTTPRequestHandler):
    timeout = TIMEOUT_S
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._metrics()
        elif path in ("/livez", "/readyz"):
            self._health(path)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET  # noqa: N815 # the name that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every few seconds: nobody wants to read of them."""

    def _health(self, path: str) -> None:
        health = self.server.look()
        is_well = health.is_alive if path == "/livez" else health.is_ready
        processes = [
            {"pid": pid, "alive": status.is_alive, "ready": status.is_ready}
            for pid, status in sorted(health.processes.items())
        ]
        body = json.dumps({"status": "ok" if is_well else "unavailable", "processes": processes})
        self._answer(is_well, "application/json", body)

    def _metrics(self) -> None:
        page = self.server.metrics
        try:
            with self.server.scraping:
                text = page.text()
        except QueueError as error:
            # No zeros, which would look like empty queues.
            self._answer(False, "text/plain; charset=utf-8", f"{error}\n")
        else:
            self._answer(True, page.content_type, text)

    def _answer(self, is_well: bool, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
