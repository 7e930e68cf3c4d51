"""The noxfile on a machine with Python and git alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
