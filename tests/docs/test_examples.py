"""What the pages show works: Python is run, page by page, and command lines are read as the programs read them."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from flask_queue.cli import queue_cli
from tests.docs.pages import PAGES, ROOT, Block, blocks, follow

#: Pages whose programs are files of an app, which a test of that page puts into a folder.
WITH_FILES = {
    "docs/dashboard.md": "test_dashboard.py",
    "docs/guides/several-apps.md": "test_guides.py",
    "docs/monitoring.md": "test_monitoring.py",
    "docs/quickstart.md": "test_quickstart.py",
}
SHELL = ("console", "sh", "bash")
#: What a shell knows, and programs that are not ours.
FOREIGN = {".", "cd", "curl", "eval", "export", "flask", "git", "pre-commit", "sudo"}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=str)
def test_python_runs(page: Path, names: dict[str, Any]) -> None:
    """All blocks of a page, one after the other, as one program; its jobs are such as an app takes."""
    if any(block.file for block in blocks(page, "python")):
        assert (Path(__file__).parent / WITH_FILES[str(page)]).exists()
    follow(page, names)


COMMANDS = [
    (block, command)
    for page in PAGES
    for block in blocks(page, *SHELL)
    if not block.reason
    for command in block.commands()
]


@pytest.mark.parametrize(
    ("block", "command"), COMMANDS, ids=[f"{block.page}: {command}" for block, command in COMMANDS]
)
def test_command_lines_are_understood(block: Block, command: str) -> None:
    """By ours all of it; of others it is known that they are there."""
    if found := re.search(r"\bflask (?:--app \S+ )?queue (.*)", command):
        name, *rest = shlex.split(found[1], comments=True)
        queue_cli.commands[name].make_context(name, rest)
        return
    program, *words = shlex.split(command, comments=True)
    match [program.rpartition("/")[2], *words]:
        case ["pip", "install", *wanted]:
            assert all(extra in extras() for word in wanted for extra in re.findall(r"[\w-]+(?=[,\]])", word))
        case ["python3" | "python", "noxfile.py", "-s", *sessions] | ["nox", "-s", *sessions]:
            _check_sessions(sessions)
        case ["python3" | "python", "-m", module, *_]:
            assert find_spec(module)
        case ["pytest", *paths]:
            assert all((ROOT / path).exists() for path in paths if not path.startswith("-"))
        case [name, *_]:
            assert name in FOREIGN


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_in_sentences_exist(page: Path) -> None:
    """And their options, whatever stands for their values."""
    for text in re.findall(r"`flask (?:--app \S+ )?queue ([^`]+)`", (ROOT / page).read_text()):
        name, *rest = text.replace("\n", " ").split()
        if name in {"…", "COMMAND", "--help"}:
            continue
        known = {option for parameter in queue_cli.commands[name].params for option in parameter.opts} | {"--help"}
        assert {word.rstrip("…") for word in rest if word.startswith("--")} <= known, text


def test_nearly_all_is_run() -> None:
    """What is not says why."""
    shown = [block for page in PAGES for block in blocks(page, "python", *SHELL)]
    assert len(shown) > 40
    assert len([block for block in shown if block.reason is not None]) <= 3


def extras() -> set[str]:
    """The names in `[project.optional-dependencies]`."""
    table = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    return set(re.findall(r"^(\w+) =", table, re.MULTILINE))


def _check_sessions(words: list[str]) -> None:
    names = words[: words.index("--")] if "--" in words else words
    assert names
    noxfile = (ROOT / "noxfile.py").read_text()
    assert all(f"\ndef {name}(session" in noxfile for name in names if not name.startswith("-"))
