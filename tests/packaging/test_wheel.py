"""What users install: the wheel, and nothing but the package in it."""

from __future__ import annotations

import os
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

import flask_queue

#: The clone, also where a run on the wheel reaches this file through a link.
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The wheel of the source tree."""
    dist = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return ZipFile(next(dist.glob("*.whl")))


def test_every_file_of_the_package_is_in_the_wheel(wheel: ZipFile) -> None:
    """Scripts, templates, static files and py.typed are installed like the modules."""
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "flask_queue").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "flask_queue/py.typed" in sources
    assert any(name.endswith(".lua") for name in sources)
    assert sources <= set(wheel.namelist())


def test_nothing_but_the_package_is_in_the_wheel(wheel: ZipFile) -> None:
    """And pytest's way to it. Tests, example and tools would land in the users' site-packages."""
    top = {name.partition("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"flask_queue", "flask_queue_pytest.py"}


def test_the_wheel_says_what_it_needs(wheel: ZipFile) -> None:
    """Licence, Python version and the command line are in the metadata."""
    info = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(wheel.read(info).decode())
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    entry_points = wheel.read(info.replace("METADATA", "entry_points.txt")).decode()
    assert "[flask.commands]\nqueue = flask_queue.cli:queue_cli" in entry_points
    assert "[pytest11]\nflask_queue = flask_queue_pytest" in entry_points


@pytest.mark.skipif("FLASK_QUEUE_TESTS_INSTALLED" not in os.environ, reason="the source tree is tested")
def test_the_installed_package_is_what_runs() -> None:
    """`nox -s tests` meets the wheel, never the source tree next to it, in child processes too."""
    code = "import flask_queue; print(flask_queue.__path__[0])"
    child = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    for path in (flask_queue.__path__[0], child.stdout.strip()):
        assert "site-packages" in Path(path).parts
        assert not Path(path).resolve().is_relative_to(ROOT / "flask_queue")
