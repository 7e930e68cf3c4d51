"""The system that webhooks go to: it is out of order at first."""

from __future__ import annotations

from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar, Self

#: Each webhook is answered with 503 so often, then with 200.
FAULTS = 2


class Handler(BaseHTTPRequestHandler):
    #: Requests for each webhook.
    seen: ClassVar[Counter[str]] = Counter()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        webhook_id = self.headers["Webhook-Id"]
        self.seen[webhook_id] += 1
        self.send_response(503 if self.seen[webhook_id] <= FAULTS else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Partner:
    """Serves in a thread, from entry to exit."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, name="partner", daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
