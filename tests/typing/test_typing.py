"""mypy and pyright, both strict, see what a user's editor would see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import flask_queue
from tests.needs import require

FOLDER = Path(__file__).parent
#: Marks a wrong line, and keeps it from being reported where all files are checked.
MARK = "  # type: ignore"
#: A first run reads the types of all dependencies.
CHECK_TIMEOUT_S = 170

Checker = Callable[[Path], set[int]]


def mypy(program: Path) -> set[int]:
    """The lines that mypy reports."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--output=json", "--config-file="]
    reports = run([*command, str(program)], program.parent).splitlines()
    errors = [json.loads(report) for report in reports]
    return {error["line"] for error in errors if Path(error["file"]).name == program.name}


def pyright(program: Path) -> set[int]:
    """The lines that pyright reports."""
    settings = {"typeCheckingMode": "strict", "include": [program.name], "extraPaths": source_paths()}
    (program.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    output = run([sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable], program.parent)
    return {error["range"]["start"]["line"] + 1 for error in json.loads(output)["generalDiagnostics"]}


def run(command: list[str], folder: Path) -> str:
    """The output of a checker, which must have come to an end of its own."""
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(source_paths())}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=CHECK_TIMEOUT_S, check=False
    )
    # 1 without a report: the checker did not even start.
    assert done.returncode == 0 or (done.returncode == 1 and done.stdout), done.stdout + done.stderr
    return done.stdout


def source_paths() -> list[str]:
    """Where checkers find the package, unless it is installed."""
    parent = Path(flask_queue.__path__[0]).parent
    return [] if parent.name == "site-packages" else [str(parent)]


@pytest.fixture(params=[mypy, pyright], ids=lambda checker: checker.__name__)
def checker(request: pytest.FixtureRequest) -> Checker:
    chosen: Checker = request.param
    require(chosen.__name__)
    return chosen


@pytest.mark.timeout(CHECK_TIMEOUT_S + 10)
def test_right_calls_pass(checker: Checker, tmp_path: Path) -> None:
    """A correct program has no error."""
    program = tmp_path / "program.py"
    program.write_text((FOLDER / "right.py").read_text())
    assert checker(program) == set()


@pytest.mark.timeout(CHECK_TIMEOUT_S + 10)
def test_wrong_calls_are_refused(checker: Checker, tmp_path: Path) -> None:
    """Every marked line is an error, and no other line is."""
    lines = (FOLDER / "wrong.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if MARK in line}
    assert len(marked) >= 13
    program = tmp_path / "program.py"
    program.write_text("\n".join(line.partition(MARK)[0] for line in lines))
    assert checker(program) == marked
