"""A web server for browsers, in a thread; it can go away and come back."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What of a request a test may want to know.
HEADERS = {"cookie": "HTTP_COOKIE", "site": "HTTP_SEC_FETCH_SITE", "live": "HTTP_X_FLASK_QUEUE_LIVE"}


@runtime_checkable
class Closable(Protocol):
    """What an app may answer with."""

    def close(self) -> object:
        """Let go of what it holds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived, as the server saw it; what a header did not say is empty."""

    method: str
    path: str
    cookie: str
    site: str
    live: str


class Quiet(WSGIRequestHandler):
    """Prints nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


class Site:
    """Serves an app on a free port of 127.0.0.1, from entry to exit, and notes each request.

    Args:
        app: what is served.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._server: BaseWSGIServer | None = None
        self.port = 0
        self.seen: list[Seen] = []

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Serve, at the same address as before."""
        self._server = make_server("127.0.0.1", self.port, self._serve, threaded=True, request_handler=Quiet)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="site", daemon=True).start()
        return self

    def stop(self) -> None:
        """Answer nothing any more: connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        facts = {name: environ.get(header, "") for name, header in HEADERS.items()}
        self.seen.append(Seen(environ["REQUEST_METHOD"], environ["PATH_INFO"], **facts))
        answer = self._app(environ, start_response)
        # Whole, and closed here: the server leaves an answer open whose browser went away, and with it a file.
        try:
            return [b"".join(answer)]
        finally:
            if isinstance(answer, Closable):
                answer.close()
