"""The address of its embedded server that `flask queue dev` leaves in the instance folder while it lives.

A lock tells whether it lives: the kernel drops it on any death, so that a file that was left behind misleads nobody.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import QueueError

FILE = "flask-queue-dev"
#: How often a `dev` tries to get the lock, and seconds between.
TRIES, PAUSE_S = 5, 0.02


@contextmanager
def leave(folder: str, address: str) -> Iterator[None]:
    """Leave an address for other commands, inside the block.

    Args:
        folder: the instance folder.
        address: of the embedded server.

    Raises:
        QueueError: another `dev` has left one, or the folder cannot be written to.
    """
    path = Path(folder, FILE)
    try:
        file = _claim(path)
    except OSError as error:
        raise QueueError(f"flask queue dev cannot write to the instance folder {folder}: {error.strerror}.") from None
    if file is None:
        raise QueueError(
            f"Another `flask queue dev` runs for {folder}: stop it first, or set QUEUE_REDIS_URL for both."
        )
    try:
        os.truncate(file, 0)
        os.write(file, address.encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def find(folder: str) -> str | None:
    """The address that a running `dev` has left, if one runs."""
    try:
        file = os.open(Path(folder, FILE), os.O_RDONLY)
    except OSError:
        return None
    try:
        if _lock(file, fcntl.LOCK_SH):
            return None
        return os.read(file, 4096).decode(errors="replace") or None
    finally:
        os.close(file)


def _claim(path: Path) -> int | None:
    """The file, open and locked; None if somebody else has it. Readers hold it for a moment, so it is tried again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(TRIES):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        # One that ends removes its file: a lock on that would be seen by nobody.
        if _lock(file, fcntl.LOCK_EX) and path.exists() and os.path.samestat(os.fstat(file), path.stat()):
            return file
        os.close(file)
        time.sleep(PAUSE_S)
    return None


def _lock(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
