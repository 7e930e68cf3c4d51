"""What ties a worker process to its supervisor: a pair of sockets, on which each tells the other a few words.

The supervisor says `stop` or `finish`; the worker tells its health and that it wants to be replaced. The end of the
supervisor, however it comes, closes its side: then the worker stops, too.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Literal

#: What a supervisor says: end within the shutdown time; end when all that runs has ended. `gone` when it is no more.
Order = Literal["stop", "finish", "gone"]


@dataclass(frozen=True, slots=True)
class Status:
    """How a worker process is: its pump goes round; it claims from a Redis that it can reach."""

    is_alive: bool
    is_ready: bool


@dataclass(frozen=True, slots=True)
class Tired:
    """A worker process has done its share, and wants to be replaced when its turn comes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """A worker process ends, and is not to be replaced."""

    reason: str


Word = Status | Tired | Done


class Leash:
    """The worker's end.

    Args:
        file: the socket that the supervisor has left open for this process.
        heed: called with what the supervisor says, on a thread of its own.
    """

    def __init__(self, file: int, heed: Callable[[Order], None]) -> None:
        # What jobs start must not hold it.
        os.set_inheritable(file, False)
        self._socket = socket.socket(fileno=file)
        self._heed = heed
        self._lock = Lock()
        Thread(target=self._listen, name="fq-leash", daemon=True).start()

    def tell(self, word: Word) -> None:
        """Tell the supervisor; if it is gone, nobody."""
        with self._lock, suppress(OSError):
            self._socket.sendall(encode(word))

    def _listen(self) -> None:
        with suppress(OSError), self._socket.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                self._heed("finish" if line.strip() == "finish" else "stop")
        self._heed("gone")


def encode(word: Word) -> bytes:
    """A word as a line."""
    match word:
        case Status():
            line = f"status {word.is_alive:d} {word.is_ready:d}"
        case Tired():
            line = f"tired {word.reason}"
        case Done():
            line = f"done {word.reason}"
    return f"{line}\n".encode()


def decode(line: str) -> Word:
    """A word from a line."""
    kind, _, rest = line.strip().partition(" ")
    if kind == "status":
        alive, ready = rest.split()
        return Status(alive == "1", ready == "1")
    return Tired(rest) if kind == "tired" else Done(rest)
