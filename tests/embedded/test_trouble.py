"""Servers that don't start, don't answer, or take their time."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flask_queue.errors import QueueUnavailable
from tests.embedded.processes import locked, server_pid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask_queue.embedded import EmbeddedServer


def test_server_that_cannot_start_is_quoted(server: EmbeddedServer) -> None:
    """The error carries the last line that the server logged, and where to read the rest."""
    data = server.folder / "appendonlydir"
    data.mkdir(parents=True)
    server.folder.chmod(0o700)
    (data / "appendonly.aof.manifest").write_text("not a manifest\n")
    with pytest.raises(QueueUnavailable) as caught:
        server.ensure()
    log = server.folder / "server.log"
    assert log.read_text().splitlines()[-1].strip() in str(caught.value)
    assert str(log) in str(caught.value)
    assert "manifest" in str(caught.value)


def test_program_that_is_no_program_is_quoted(server: EmbeddedServer, bare_path: Path) -> None:
    """A program that the system can't execute is an error at once, not after the time-out."""
    (bare_path / "redis-server").write_bytes(b"\x7fnonsense")
    (bare_path / "redis-server").chmod(0o700)
    since = time.monotonic()
    with pytest.raises(QueueUnavailable, match="Exec format error"):
        server.ensure()
    assert time.monotonic() - since < 2


def test_start_that_takes_too_long_is_given_up(server: EmbeddedServer) -> None:
    """When someone holds the start and nothing answers, `ensure` ends at its time-out and names the socket."""
    server.folder.mkdir(mode=0o700)
    since = time.monotonic()
    with locked(server.folder / "server.lock"), pytest.raises(QueueUnavailable, match=str(server.socket_path)):
        server.ensure(timeout_s=0.3)
    assert 0.3 <= time.monotonic() - since < 1.5


def test_ensure_waits_while_the_server_loads(server: EmbeddedServer) -> None:
    """A server that is still reading its file isn't up yet, so that a first command doesn't fail for that."""
    with answering(server.socket_path, [b"-LOADING", b"-LOADING", b"+PONG"]) as answers:
        server.ensure()
        assert answers == []


def test_ensure_leaves_long_loading_to_the_client(server: EmbeddedServer) -> None:
    """At its time-out `ensure` returns: the server runs, and says itself why it doesn't serve yet."""
    with answering(server.socket_path, [b"-LOADING"] * 1000) as answers:
        server.ensure(timeout_s=0.2)
        assert 0 < len(answers) < 1000


def test_hung_server_does_not_hang_ensure(server: EmbeddedServer) -> None:
    """A server that is busy or frozen is up: whoever connects has a time-out of its own."""
    server.ensure()
    pid = server_pid(server)
    os.kill(pid, signal.SIGSTOP)
    since = time.monotonic()
    server.ensure()
    assert time.monotonic() - since < 1
    os.kill(pid, signal.SIGCONT)
    assert server_pid(server) == pid


def test_log_does_not_grow_for_ever(server: EmbeddedServer) -> None:
    """A large log is put aside at the next start; one generation is kept."""
    server.folder.mkdir(mode=0o700)
    (server.folder / "server.log").write_bytes(b"x" * 1_000_001)
    server.ensure()
    assert (server.folder / "server.log").stat().st_size < 100_000
    assert (server.folder / "server.log.1").stat().st_size == 1_000_001


@contextmanager
def answering(path: Path, answers: list[bytes]) -> Iterator[list[bytes]]:
    """A stand-in for the server, giving one answer to each connection; yields those still to be given."""
    path.parent.mkdir(mode=0o700)
    left = answers[:]

    def serve(listener: socket.socket) -> None:
        while left:
            connection, _ = listener.accept()
            with connection:
                if not connection.recv(64):
                    return
                connection.sendall(left.pop(0) + b"\r\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        try:
            yield left
        finally:
            with socket.socket(socket.AF_UNIX) as last, suppress(ConnectionError):
                last.connect(str(path))
                last.shutdown(socket.SHUT_WR)
                thread.join(5)
    path.unlink()
