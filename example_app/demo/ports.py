"""TCP ports of this machine."""

from __future__ import annotations

import socket

from .errors import DemoError

USUAL_PORT = 5000


def choose_port(wanted: int | None) -> int:
    """The wanted port, which must be free; without a wish the usual one, or any that is free."""
    if wanted is None:
        return USUAL_PORT if _is_free(USUAL_PORT) else free_port()
    if not _is_free(wanted):
        raise DemoError(f"port {wanted} cannot be used; leave --port out to get one that can")
    return wanted


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, OverflowError):
        return False
    return True
