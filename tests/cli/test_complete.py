"""What the shell offers at the Tab key, and what help says."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from flask_queue.cli import queue_cli

if TYPE_CHECKING:
    from flask import Flask

    from tests.cli.processes import CommandLine


def offered(bare: CommandLine, line: str, **settings: str) -> list[str]:
    """What is offered at the end of a line, in whatever kind of app."""
    words = line.split(" ")
    done = bare.run(_FLASK_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), **settings)
    assert done.stderr == ""
    return [line.removeprefix("plain,") for line in done.stdout.splitlines() if line]


@pytest.fixture
def shell(bare: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command as a shell calls it, by its name."""
    monkeypatch.setattr(bare, "_command", lambda words: ["flask", *words])
    return bare


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("flask queue pause ", ["default", "emails"]),
        ("flask queue clean e", ["emails"]),
        ("flask queue retry --all --queue d", ["default"]),
        ("flask queue dispatch ", ["Add", "Boom", "Echo", "Nap", "Start", "Where"]),
        ("flask queue jobs --name B", ["Boom"]),
        ("flask queue jobs --state c", ["completed", "cancelled"]),
        ("flask queue res", ["reschedule", "restart", "resume"]),
    ],
)
def test_names_are_offered(shell: CommandLine, line: str, words: list[str]) -> None:
    """Of queues, jobs, states and commands; Redis is not asked."""
    assert offered(shell, line, QUEUE_REDIS_URL="redis://127.0.0.1:1/0") == words


@pytest.mark.parametrize("code", ["print('hello'); raise SystemExit(3)", "1/0", "def create_app(): return print('x')"])
def test_an_app_that_fails_offers_nothing(shell: CommandLine, folder: Path, code: str) -> None:
    """And says nothing: the shell would take it for something to offer."""
    (folder / "app.py").write_text(code)
    assert offered(shell, "flask queue pause ") == []


@pytest.mark.parametrize("name", sorted(queue_cli.commands))
def test_help_shows_how_a_command_is_called(app: Flask, name: str) -> None:
    """By examples that are right."""
    command = queue_cli.commands[name]
    assert command.epilog is not None
    sign, head, *lines = command.epilog.splitlines()
    assert (sign, head) == ("\b", "Examples:")
    for line in lines:
        called, _, _ = line.partition(" < ")
        flask, queue, called_name, *words = shlex.split(called)
        assert (flask, queue, called_name) == ("flask", "queue", name)
        assert isinstance(command.make_context(name, words), click.Context)


@pytest.mark.parametrize("name", sorted(set(queue_cli.commands) - {"work", "dev"}))
def test_every_command_has_json(name: str) -> None:
    """But those that run until they are ended."""
    assert "--json" in {option for parameter in queue_cli.commands[name].params for option in parameter.opts}
