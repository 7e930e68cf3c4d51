"""What the shell offers at the Tab key, and what help says."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from flask_queue.cli import queue_cli
from flask_queue.cli.complete import ANSWER_S
from flask_queue.current import broker_of
from flask_queue.worker import Worker
from tests.cli import program
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from tests.cli.conftest import Invoke
    from tests.cli.processes import CommandLine
    from tests.servers import RedisServer


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
        ("flask queue dispatch ", ["Add", "Boom", "Collect", "Echo", "Nap", "Start", "Where"]),
        ("flask queue jobs --name B", ["Boom"]),
        ("flask queue jobs --state c", ["completed", "cancelled"]),
        ("flask queue res", ["reschedule", "restart", "resume"]),
    ],
)
def test_names_are_offered(shell: CommandLine, line: str, words: list[str]) -> None:
    """Of queues, jobs, states and commands; Redis is not asked."""
    assert offered(shell, line, QUEUE_REDIS_URL="redis://127.0.0.1:1/0") == words


def test_what_redis_has_is_offered(app: Flask, shell: CommandLine, redis_url: str, work: Callable[[], None]) -> None:
    """Jobs in the states that the command is for, but those that are named already, and groups of errors."""
    shell.settings["QUEUE_REDIS_URL"] = redis_url
    delayed = program.Add.options(delay_s=60).dispatch(1).id
    older, newer = [program.Boom.dispatch().id.partition(":")[2] for _ in range(2)]
    work()
    [group] = program.queue.failures()
    assert offered(shell, "flask queue promote ") == [delayed.partition(":")[2]]
    assert offered(shell, "flask queue show default:" + delayed[8:12]) == [delayed]
    assert set(offered(shell, "flask queue retry ")) == {older, newer}
    assert offered(shell, f"flask queue retry {older} ") == [newer]
    assert offered(shell, f"flask queue retry --all --error {group.fingerprint[:3]}") == [group.fingerprint]


def test_a_hint_tells_of_a_job(app: Flask, shell: CommandLine, redis_url: str) -> None:
    """Where the shell shows it: what it is, not what is in it."""
    program.Echo.dispatch({"user": 7})
    done = shell.run(
        QUEUE_REDIS_URL=redis_url,
        _FLASK_COMPLETE="zsh_complete",
        COMP_WORDS="flask queue show ",
        COMP_CWORD="3",
    )
    assert re.fullmatch(r"plain\n\S+\nEcho waiting \d+ s ago\n", done.stdout), done.stdout


def test_workers_are_offered(app: Flask, shell: CommandLine, redis_url: str) -> None:
    """Those that live."""
    worker = Worker(broker_of(app))
    worker.start()
    try:
        wait_until(program.queue.workers)
        assert offered(shell, "flask queue stop ", QUEUE_REDIS_URL=redis_url) == [worker.id]
    finally:
        worker.stop()


def test_a_silent_server_offers_nothing_soon(shell: CommandLine, frozen: RedisServer) -> None:
    """Nobody waits for the Tab key: not much longer than where no server is asked."""
    started_s = time.monotonic()
    offered(shell, "flask queue pause ")
    without_s = time.monotonic() - started_s
    assert offered(shell, "flask queue show ", QUEUE_REDIS_URL=frozen.url) == []
    assert time.monotonic() - started_s - without_s < 2 * without_s + 3 * ANSWER_S


def test_no_server_is_started(shell: CommandLine, folder: Path) -> None:
    """An embedded one that does not run has nothing to offer, and a key that offers something changes nothing."""
    assert offered(shell, "flask queue show ", QUEUE_REDIS_URL="embedded://data") == []
    assert not list(folder.rglob("data"))


def test_lists_of_queues_are_offered(shell: CommandLine) -> None:
    """Name by name."""
    assert offered(shell, "flask queue work --queues default,") == ["default,emails"]


@pytest.mark.parametrize("code", ["print('hello'); raise SystemExit(3)", "1/0", "def create_app(): return print('x')"])
def test_an_app_that_fails_offers_nothing(shell: CommandLine, folder: Path, code: str) -> None:
    """And says nothing: the shell would take it for something to offer."""
    (folder / "app.py").write_text(code)
    assert offered(shell, "flask queue pause ") == []


@pytest.mark.parametrize("name", sorted(queue_cli.commands))
def test_help_shows_how_a_command_is_called(app: Flask, name: str) -> None:
    """By examples that are right, and what each option does."""
    command = queue_cli.commands[name]
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert command.epilog is not None
    sign, head, *lines = command.epilog.splitlines()
    assert (sign, head) == ("\b", "Examples:")
    for line in lines:
        called, _, _ = line.partition(" < ")
        flask, queue, called_name, *words = shlex.split(called)
        assert (flask, queue, called_name) == ("flask", "queue", name)
        assert isinstance(command.make_context(name, words), click.Context)


def test_the_list_of_commands_is_whole(invoke: Invoke) -> None:
    """What each does has room on its line."""
    assert "..." not in invoke("--help").stdout.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("words", "near"), [(["jbos"], "jobs"), (["jobs", "--stat", "failed"], "--state"), (["make_job", "A"], "make-job")]
)
def test_a_wrong_word_is_answered_by_one_that_is_near(invoke: Invoke, words: list[str], near: str) -> None:
    """Names of commands and of options."""
    result = invoke(*words)
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert near in result.stderr


@pytest.mark.parametrize("name", sorted(set(queue_cli.commands) - {"work", "dev"}))
def test_every_command_has_json(name: str) -> None:
    """But those that run until they are ended."""
    assert "--json" in {option for parameter in queue_cli.commands[name].params for option in parameter.opts}
