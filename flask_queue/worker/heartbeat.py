"""The worker's side of its heart: starts it, tells it what to beat for, and starts another should it die."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..broker import QueueBroker
from ..config import Config
from ..errors import QueueUnavailable
from ..store.scripts import load
from . import heart
from .heart import Pulse

logger = logging.getLogger("flask_queue.worker")

#: Longest time between signs of life, whatever the lease.
MAX_BEAT_S = 5.0
#: Signs of life in a lease: two may be lost before a worker is taken for dead.
BEATS_PER_LEASE = 3
#: Seconds for the heart to notice that it is not needed any more.
END_S = 2.0


def beat_s(config: Config) -> float:
    """Seconds between two signs of life of a worker."""
    return min(MAX_BEAT_S, config.lease_s / BEATS_PER_LEASE)


class Heartbeat:
    """A heart for the worker of this process. All methods belong to one thread at a time.

    Args:
        broker: whose Redis and settings.
        json_lines: in which form it prints, see `heart`.
    """

    def __init__(self, broker: QueueBroker, *, json_lines: bool = False) -> None:
        self._broker = broker
        self._file = _shared_memory()
        self.pulse = Pulse(self._file)
        self._json_lines = json_lines
        self._process: subprocess.Popen[bytes] | None = None
        self._told: tuple[str, ...] = ()

    def keep(self, worker: str, queues: Sequence[str]) -> None:
        """Make sure that a heart beats for these queues, in case that the worker cannot."""
        process = self._process
        if process is None or process.poll() is not None:
            if process is not None:
                logger.warning("The heart of worker %s ended with status %d.", worker, process.returncode)
                self._close(process)
            process = self._process = self._start()
            self._told = ()
        if self._told != tuple(queues):
            self._tell(process, worker, queues)

    def stop(self) -> None:
        """End the heart."""
        if self._process is not None:
            self._close(self._process)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        os.close(self._file)

    def _start(self) -> subprocess.Popen[bytes]:
        # Signals go to all of a group or a container, and the worker may need until the end of its shutdown time. What
        # this thread blocks, the new process does, from its first moment on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP, signal.SIGINT, signal.SIGTERM))
        try:
            # -P: the file's folder is no place to import from. A session of its own: Ctrl-Z is for the worker alone.
            return subprocess.Popen(
                [sys.executable, "-P", heart.__file__, str(self._file)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[self._file],
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _tell(self, process: subprocess.Popen[bytes], worker: str, queues: Sequence[str]) -> None:
        assert process.stdin is not None
        with suppress(BrokenPipeError, QueueUnavailable):
            process.stdin.write(json.dumps(self._settings(worker, queues)).encode() + b"\n")
            self._told = tuple(queues)

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        process.stdin.close()

    def _settings(self, worker: str, queues: Sequence[str]) -> dict[str, Any]:
        config, store = self._broker.config, self._broker.store
        return {
            "worker": worker,
            "pid": os.getpid(),
            "url": store.url_for_others(),
            "path": sys.path,
            "keys": [store.transitions.keys(queue)["workers"] for queue in ("", *queues)],
            "script": load("beat").text,
            "beat_s": beat_s(config),
            "lease_s": config.lease_s,
            "socket_timeout_s": config.socket_timeout_s,
            "json_lines": self._json_lines,
        }


def _shared_memory() -> int:
    """A file that is in memory alone, or in none of the folders: containers may have no place to write to."""
    try:
        file = os.memfd_create("flask-queue-pulse")
    except (AttributeError, OSError):  # Linux alone has it
        with tempfile.TemporaryFile() as temporary:
            file = os.dup(temporary.fileno())
    os.truncate(file, Pulse.SIZE)
    return file
