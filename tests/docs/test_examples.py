"""What the pages show works: Python is run, page by page, and command lines are read as the programs read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from flask import Flask

import flask_queue
from flask_queue import FlaskQueue, Job, Queue, signals
from flask_queue.cli import queue_cli
from flask_queue.current import broker_of
from tests.docs.pages import PAGES, ROOT, Block, blocks

#: Pages whose programs are files of an app, which a test of that page puts into a folder.
WITH_FILES = {
    "docs/dashboard.md": "test_dashboard.py",
    "docs/monitoring.md": "test_monitoring.py",
    "docs/quickstart.md": "test_quickstart.py",
}
SHELL = ("console", "sh", "bash")
#: What a shell knows, and programs that are not ours.
FOREIGN = {".", "cd", "curl", "eval", "export", "flask", "git", "pre-commit", "sudo"}


class SendWelcomeEmail(Job):
    """The job of examples that are about something else."""

    queue_name = "emails"

    def handle(self, user_id: int, *, plan: str = "free") -> None: ...


@pytest.fixture
def names(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What every example may take for granted: our public names, an app with queues and a job, and its context."""
    monkeypatch.setenv("QUEUE_REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    app = Flask("shop", instance_path=str(tmp_path))
    queue = FlaskQueue(app, queues=[Queue("default"), Queue("emails")], admin=False)
    public = {name: getattr(flask_queue, name) for name in flask_queue.__all__}
    shop = {"Flask": Flask, "app": app, "queue": queue, "SendWelcomeEmail": SendWelcomeEmail}
    with app.app_context(), unconnected():
        yield {"__name__": "shop", **public, **shop}
    broker_of(app).close()


@contextmanager
def unconnected() -> Iterator[None]:
    """What an example connects to a signal hears nothing of the tests after it."""
    told = [getattr(signals, name) for name in signals.__all__]
    before = [dict(signal.receivers) for signal in told]
    yield
    for signal, receivers in zip(told, before, strict=True):
        for receiver in [signal.receivers[key] for key in signal.receivers.keys() - receivers.keys()]:
            signal.disconnect(receiver() if isinstance(receiver, ref) else receiver)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=str)
def test_python_runs(page: Path, names: dict[str, Any], tmp_path: Path) -> None:
    """All blocks of a page, one after the other, as one program; its jobs are such as an app takes."""
    for block in blocks(page, "python"):
        if block.file is not None:
            assert (Path(__file__).parent / WITH_FILES[str(page)]).exists()
        elif block.reason is None:
            block.run(names)
    jobs = {
        value.name: value
        for value in names.values()
        if isinstance(value, type) and issubclass(value, Job) and value is not Job
    }
    queues = {"default", *(job.queue_name for job in jobs.values())}
    app = Flask("jobs", instance_path=str(tmp_path))
    FlaskQueue(app, queues=[Queue(name) for name in queues], jobs=jobs.values(), admin=False)


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
