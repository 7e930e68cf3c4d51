"""The noxfile on a machine with Python and git alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.support import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the noxfile needs of a clone in which nothing was installed yet."""
    for name in ("noxfile.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_a_python_without_venv_is_told_what_to_install(clone: Path) -> None:
    """Debian's python3 comes without python3-venv: one line says so, and nothing is left half made."""
    code = (
        "import runpy, sys; sys.modules |= dict(nox=None, ensurepip=None); runpy.run_path(sys.argv[1], {}, '__main__')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(clone / "noxfile.py")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr.splitlines() == [run.stderr.strip()]
    assert "apt install python3-venv" in run.stderr
    assert not (clone / ".nox").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_noxfile_brings_its_own_nox(clone: Path) -> None:
    """Without nox, from any folder, it's installed into the clone; a broken installation is replaced."""
    command = [sys.executable, str(clone / "noxfile.py"), "--list"]
    first = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    assert "Installing nox" in first.stdout
    assert "* tests" in first.stdout
    again = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    assert "Installing nox" not in again.stdout
    shutil.rmtree(next((clone / ".nox" / ".bootstrap").glob("lib/*/site-packages/nox")))
    repaired = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    assert "Installing nox" in repaired.stdout
    assert "* tests" in repaired.stdout


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which nothing was installed yet, with a home folder next to it that is just as new."""
    folder = tmp_path_factory.mktemp("fresh")
    shutil.copytree(ROOT, folder / "clone", ignore=_left_behind)
    (folder / "home").mkdir()
    return folder


def _left_behind(folder: str, names: list[str]) -> list[str]:
    """What is at the top of a used clone, and not in a new one."""
    return [name for name in names if Path(folder) == ROOT and name.startswith(".")]


def demo(fresh: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
    """Start the session `demo` as the README says, and return it with the file that gets what it prints."""
    command = [sys.executable, "noxfile.py", "-s", "demo", *arguments]
    printed = fresh / "printed"
    with printed.open("wb") as output:
        env = os.environ | {"HOME": str(fresh / "home")}
        return subprocess.Popen(command, cwd=fresh / "clone", env=env, stdout=output, stderr=output), printed


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_command_shows_the_example_at_work(fresh: Path) -> None:
    """In a fresh clone with a fresh home, `-- --once` ends with 0 once all jobs were completed."""
    process, printed = demo(fresh, "--", "--once")
    assert process.wait() == 0, printed.read_text()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_ends_cleanly_when_asked(fresh: Path, number: signal.Signals) -> None:
    """Ctrl-C, or the signal sent to the command alone, ends everything without a traceback."""
    process, printed = demo(fresh, "--", "--port", str(free_port()))
    try:
        wait_until(lambda: "runs at http://" in printed.read_text() or process.poll() is not None, 200)
        process.send_signal(number)
        assert process.wait(60) == 0, printed.read_text()
    finally:
        process.kill()
    assert "Traceback" not in printed.read_text()
    assert printed.read_text().endswith("Stopped.\n")
