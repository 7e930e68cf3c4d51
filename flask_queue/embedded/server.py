"""A process's share in the server of one data folder. How the parts find and outlive each other: see `keeper`."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigError, QueueUnavailable
from . import keeper
from .binary import find_binary
from .place import SOCKET, make_private, socket_path_of

LOG = "server.log"
#: Bytes. A log over this starts anew; the one before is kept beside it.
MAX_LOG_BYTES = 1_000_000
#: Seconds that a server may take to answer. Well under one, unless the append-only file is long.
START_TIMEOUT_S = 10.0
#: Seconds between two looks while waiting.
POLL_S = 0.01
#: Seconds for the answer to a PING. A server that is only busy is up; whoever connects has a time-out of its own.
PING_TIMEOUT_S = 0.25

# The paths are relative to the folder, in which the server runs: no name of a folder needs quoting here.
SETTINGS = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir .
daemonize no
logfile ""
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


class State(Enum):
    """What a look at the socket tells."""

    ABSENT = auto()
    LOADING = auto()
    UP = auto()


class EmbeddedServer:
    """One Valkey server per data folder, shared by every process that uses it.

    The server runs as long as any process holds a share: from `ensure` to `close`, or to the end of the process,
    however it ends. Threads may share an instance. A forked child holds no share until it calls `ensure` itself.

    Attributes:
        folder: the real path of the data folder, which keeps append-only file, settings, log and locks.
        socket_path: where the server listens; known before it runs, the same in every process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.socket_path = socket_path_of(self.folder)
        self._mutex = threading.Lock()
        #: The open, locked files, for as long as they are held.
        self._share: int | None = None
        self._server_lock: int | None = None
        os.register_at_fork(after_in_child=partial(_after_fork, weakref.ref(self)))

    def ensure(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the server if it isn't running, and hold this process's share in it.

        To be called before every new connection, so that a killed server comes back: one PING while the server runs.
        Returns once the server answers; after `timeout_s` also if it is still loading its data, as its answers say.

        Args:
            timeout_s: seconds for everything, waiting for other threads and processes included.

        Raises:
            ConfigError: the folder can't be used, or there is no server program.
            QueueUnavailable: the server can't be started, or didn't answer in time.
        """
        deadline = time.monotonic() + timeout_s
        if not self._mutex.acquire(timeout=max(0, timeout_s)):
            raise self._unavailable("another thread is still starting it")
        try:
            self._take_share(deadline)
            self._wait_until_up(deadline)
        except OSError as error:
            raise self._unavailable(str(error)) from error
        finally:
            self._mutex.release()

    def close(self) -> None:
        """Give this process's share back, until the next `ensure`; the server ends soon after the last one."""
        with self._mutex:
            self._drop_share()

    def _take_share(self, deadline: float) -> None:
        make_private(self.folder)
        if self.socket_path.parent != self.folder:
            make_private(self.socket_path.parent)
        path = self.folder / keeper.USERS_LOCK
        if self._share is not None and _is_at(self._share, path):
            return
        self._drop_share()  # a share in a folder that was deleted meanwhile
        while (share := self._try_share(path)) is None:
            if time.monotonic() > deadline:
                raise self._unavailable("the server is still stopping")
            time.sleep(POLL_S)
        self._share = share

    def _try_share(self, path: Path) -> int | None:
        try:
            return _lock(path, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}:
                raise
            fault = f"the embedded server can't write to its folder {self.folder}: {error.strerror}."
            raise ConfigError([fault]) from None

    def _wait_until_up(self, deadline: float) -> None:
        has_started = False
        while (state := self._look()) is not State.UP:
            if state is State.ABSENT and self._take_server_lock():
                try:
                    if has_started:  # and the lock is free again: keeper and server are gone
                        raise self._unavailable(f"it ended while starting, with the words: {self._last_words()}")
                    self._start_keeper()
                    has_started = True
                finally:
                    self._drop_server_lock()
            elif time.monotonic() < deadline:
                time.sleep(POLL_S)
            elif state is State.LOADING:
                return
            else:
                raise self._unavailable(f"nothing answers at {self.socket_path}")

    def _look(self) -> State:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PING_TIMEOUT_S)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64)
            except (FileNotFoundError, ConnectionError):
                return State.ABSENT
            except (TimeoutError, BlockingIOError):
                return State.UP
        if not answer:
            return State.ABSENT
        return State.LOADING if answer.startswith(b"-LOADING") else State.UP

    def _start_keeper(self) -> None:
        """Start the keeper, free of all that is ours: files, folder, session, and the parent's duty to wait."""
        listens_at = SOCKET if self.socket_path.parent == self.folder else str(self.socket_path)
        command = [sys.executable, "-I", "-S", keeper.__file__, str(find_binary()), listens_at]
        _write_private(self.folder / keeper.CONFIG, SETTINGS.format(socket=listens_at))
        with _open_log(self.folder / LOG) as log:
            subprocess.run(
                command,
                cwd=self.folder,
                stdin=self._server_lock,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=False,
            )

    def _last_words(self) -> str:
        with (self.folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")

    def _unavailable(self, reason: str) -> QueueUnavailable:
        return QueueUnavailable(f"The embedded server is not available: {reason}. Its log is {self.folder / LOG}.")

    def _take_server_lock(self) -> bool:
        """Whether nobody starts, keeps or is the server; if so, nobody does until the lock is dropped or handed on."""
        self._server_lock = _lock(self.folder / keeper.SERVER_LOCK, fcntl.LOCK_EX)
        return self._server_lock is not None

    def _drop_server_lock(self) -> None:
        lock, self._server_lock = self._server_lock, None
        if lock is not None:
            os.close(lock)

    def _drop_share(self) -> None:
        # Closed, never unlocked: LOCK_UN would take the lock from a forked process that still has the same open file.
        share, self._share = self._share, None
        if share is not None:
            os.close(share)

    def _leave_to_parent(self) -> None:
        """In a forked child: let go of the parent's locks, lest they outlive it, and of a mutex nobody can release."""
        self._drop_share()
        self._drop_server_lock()
        self._mutex = threading.Lock()


def _after_fork(this: weakref.ref[EmbeddedServer]) -> None:
    if (server := this()) is not None:
        server._leave_to_parent()


def _lock(path: Path, how: int) -> int | None:
    """The open, locked file, or None if someone else has the lock, or the file was deleted meanwhile."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
        if _is_at(file, path):
            return file
    except BlockingIOError:
        pass
    except OSError:
        os.close(file)
        raise
    os.close(file)
    return None


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _write_private(path: Path, text: str) -> None:
    with open(path, "w", opener=_private) as file:
        file.write(text)


def _open_log(path: Path) -> BinaryIO:
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return open(path, "ab", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
