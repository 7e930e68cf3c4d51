"""Fixtures: a share in a folder's server, and machines without this or that."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from flask_queue.embedded import EmbeddedServer, binary, place
from tests.embedded.processes import is_locked, keeper_pid
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that doesn't exist yet."""
    return tmp_path / "queue"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    """A share in the folder's server, which is gone after the test."""
    server = EmbeddedServer(folder)
    yield server
    server.close()
    with suppress(redis.ConnectionError, ValueError, ProcessLookupError):  # it is gone already, or goes right now
        os.kill(keeper_pid(server), signal.SIGTERM)  # rather than wait until it notices by itself
    wait_until(lambda: not is_locked(folder / "server.lock"), what="the server is gone")


@pytest.fixture
def short_root() -> Iterator[Path]:
    """A stand-in for /tmp, short as well, so that tests meet no real server's folder."""
    root = Path(tempfile.mkdtemp(prefix="fq-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "SHORT_ROOT", root)
        yield root
    shutil.rmtree(root)


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH, on a machine without the extra."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(binary, "_packaged", lambda: None)
    return folder
