"""Where an embedded server lives: folders that are this user's alone, and a socket path that fits."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError

#: Bytes. The kernels take 104 (macOS) or 108 (Linux) with the closing zero.
MAX_SOCKET_PATH = 99
#: For the sockets of folders with long names. Not `tempfile.gettempdir()`: it depends on the environment, and every
#: process must find the same path.
SHORT_ROOT = Path("/tmp")
SOCKET = "server.sock"


def socket_path_of(folder: Path) -> Path:
    """The path of the server's socket, the same in every process: inside the data folder if it is short enough.

    Args:
        folder: the real path of the data folder.
    """
    path = folder / SOCKET
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]
    return SHORT_ROOT / f"flask-queue-{os.geteuid()}" / f"{name}.sock"


def make_private(folder: Path) -> None:
    """Create the folder, or check the one that is there: it must be this user's, and closed to everyone else.

    Whoever else could write to it could replace the socket or the server's settings; whoever could read it would read
    payloads. A folder that was there before is not closed silently, since other programs may use it.

    Raises:
        ConfigError: it can't be created, or isn't a folder, or isn't this user's alone.
    """
    try:
        found = _status(folder)
    except OSError as error:
        raise ConfigError([f"the embedded server can't use the folder {folder}: {error.strerror}."]) from None
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigError([f"the embedded server needs a folder, and {folder} is none: name another one."])
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        fault = (
            f"the embedded server's folder {folder} must belong to user {os.geteuid()} and be closed to others (it "
            f"belongs to user {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}): name one that doesn't exist "
            "yet, or chmod 700 it."
        )
        raise ConfigError([fault])


def _status(folder: Path) -> os.stat_result:
    """What `lstat` says: never through a link, which someone else may have put into /tmp."""
    try:
        return folder.lstat()
    except FileNotFoundError:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was faster; what it made is checked like any other
            folder.mkdir(mode=0o700)
        return folder.lstat()
