"""The supervisor's side of one worker process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Thread

from .leash import Order, Status, Word, decode


class Child:
    """A worker process and the leash that ties it to this one.

    Args:
        command: starts it; `--leash` and the socket's number are added.
        environment: of the process.
        heed: called with what it tells, on a thread of its own.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], heed: Callable[[Child, Word], None]
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*command, "--leash", str(theirs.fileno())],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Of its own session, so that Ctrl-C reaches the supervisor alone, and each worker once.
                start_new_session=True,
            )
        self._socket = ours
        self._heed = heed
        self.started_s = time.monotonic()
        #: As it told last.
        self.status = Status(is_alive=True, is_ready=False)
        Thread(target=self._listen, name=f"fq-child-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        status = self._process.poll()
        if status is not None:
            # What it has started itself must not be able to keep the leash's thread.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        return status

    def tell(self, order: Order) -> None:
        """Tell it what to do."""
        with suppress(OSError):
            self._socket.sendall(f"{order}\n".encode())

    def kill(self) -> None:
        """End it now, with what it has started in its process group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _listen(self) -> None:
        with self._socket, suppress(OSError), self._socket.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                word = decode(line)
                if isinstance(word, Status):
                    self.status = word
                else:
                    self._heed(self, word)
