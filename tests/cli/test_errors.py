"""What a user meets when something is wrong: one line, the right status, never a traceback, never a long wait."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_queue.cli import dev, queue_cli, reach
from tests.cli import program
from tests.faults.proxy import Proxy
from tests.servers import RedisServer

if TYPE_CHECKING:
    from flask_queue.store.store import Store
    from tests.cli.processes import CommandLine

#: All but `work`.
COMMANDS = (
    ["status"],
    ["metrics"],
    ["jobs", "--json"],
    ["show", "default:x"],
    ["logs", "x"],
    ["dispatch", "Add", '{"a": 1}'],
    ["retry", "x"],
    ["retry", "--all"],
    ["cancel", "x"],
    ["promote", "x"],
    ["reschedule", "x", "--in", "5"],
    ["duplicate", "x"],
    ["delete", "x"],
    ["clean", "default", "--state", "failed"],
    ["pause", "default"],
    ["resume", "default"],
    ["workers"],
    ["quiet", "x"],
    ["stop", "x"],
    ["restart"],
    ["dev"],
)
#: And in between: `dev` has a server of its own.
LATER = [words for words in COMMANDS if words != ["dev"]]


@pytest.mark.parametrize("words", [["status"], ["dev"]], ids=" ".join)
def test_a_server_that_hangs_is_told(bare: CommandLine, frozen: RedisServer, words: list[str]) -> None:
    """A command says where it looked and what to do."""
    line = bare.fails("queue", *words, QUEUE_REDIS_URL=frozen.url)
    assert line.startswith(f"Error: Redis at {frozen.folder}/redis.sock is not available (no answer within 1.5 s): ")
    assert line.endswith("set QUEUE_REDIS_URL to where it runs.")


def test_a_server_that_hangs_is_told_in_three_seconds(bare: CommandLine, frozen: RedisServer) -> None:
    """With half a second for the start of the process, which a busy machine may take longer for."""
    start_s = bare.seconds("queue", "--help")
    assert bare.seconds("queue", "status", QUEUE_REDIS_URL=frozen.url) < 2.5 + start_s


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_waits_for_a_server_that_hangs(
    frozen: RedisServer, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each makes sure first that the server answers."""
    monkeypatch.setattr(reach, "REACH_S", 0.05)
    monkeypatch.setattr(dev, "on_stop", lambda *calls: None)
    monkeypatch.setenv("QUEUE_REDIS_URL", frozen.url)
    app = Flask("app")
    program.queue.init_app(app)
    result = app.test_cli_runner().invoke(queue_cli, words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no answer within 0.05 s" in result.stderr


@pytest.mark.parametrize("words", LATER, ids=" ".join)
def test_no_command_waits_for_a_server_that_begins_to_hang(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is cut when it has just answered: the first call that hears nothing ends the command."""
    with RedisServer(tcp=True) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("QUEUE_REDIS_URL", proxy.url)
        app = Flask("app")
        app.config.update(QUEUE_SOCKET_TIMEOUT_S=0.2, QUEUE_DISPATCH_TIMEOUT_S=0.2)
        program.queue.init_app(app)
        ping = reach._ping

        def answer_last(store: Store) -> object:
            try:
                return ping(store)
            finally:
                proxy.swallow()

        monkeypatch.setattr(reach, "_ping", answer_last)
        started_s = time.monotonic()
        result = app.test_cli_runner().invoke(queue_cli, words)
        assert time.monotonic() - started_s < 1
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        # Client libraries name the address or just "socket".
        cause = r"\(Timeout reading from (socket|127\.0\.0\.1:\d+)\)"
        assert re.search(rf" is not available {cause}: start it", result.stderr)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:1/0", "Redis at 127.0.0.1:1 is not available"),
        ("redis://a..b/0", "Redis at a..b:6379 is not available"),
        ("unix:///nowhere/redis.sock", "Redis at /nowhere/redis.sock is not available"),
    ],
)
def test_a_server_that_is_not_there_is_told(bare: CommandLine, url: str, reason: str) -> None:
    """Also where its name cannot even be looked up."""
    assert reason in bare.fails("queue", "status", QUEUE_REDIS_URL=url)


def test_a_wrong_password_is_told(bare: CommandLine) -> None:
    """With the setting that holds it, and without showing it."""
    with RedisServer(password="right", tcp=True) as server:
        line = bare.fails("queue", "status", QUEUE_REDIS_URL=server.url.replace("right", "hush"))
    assert "refused the credentials" in line
    assert "set REDIS_PASSWORD" in line
    assert "hush" not in line


@pytest.mark.parametrize("command", ["work", "status"])
def test_a_wrong_configuration_is_told_in_one_line(bare: CommandLine, command: str) -> None:
    """It is raised while Flask loads the app, which other commands show with a traceback."""
    line = bare.fails("queue", command, QUEUE_REDIS_URL="nonsense://", QUEUE_LEASE_S="soon")
    assert line.startswith("Error: flask-queue is not configured correctly: (1) ")
    assert "; (2) " in line
    assert "QUEUE_LEASE_S (environment) is 'soon'" in line


@pytest.mark.parametrize("command", ["work", "status"])
def test_an_app_without_queues_is_told(bare: CommandLine, command: str) -> None:
    """The command is there in every app of an environment, also in those that never called init_app."""
    line = bare.fails("queue", command, NO_QUEUE="1")
    assert line == "Error: App 'app' has no FlaskQueue: call queue.init_app(app) in its factory."


def test_a_reader_that_leaves_is_no_error(app: Flask, flask: CommandLine) -> None:
    """`flask queue jobs | head` prints no complaint."""
    program.Echo.dispatch_many([{"data": "x" * 1000} for _ in range(300)])
    with flask.piped("queue", "jobs", "--json", "--limit", "300") as (jobs, output, errors):
        output.read(10)
        output.close()
        assert errors.read() == b""
        jobs.wait(10)


def test_help_needs_neither_app_nor_worker(bare: CommandLine) -> None:
    """Every `flask` command of every app imports the entry point: what is heavy stays out of it."""
    code = (
        "import sys, flask_queue.cli; "
        "print([name for name in sys.modules if name.startswith(('flask_queue.worker', 'flask_queue.embedded'))])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
    commands = bare.run("queue", "--help", QUEUE_REDIS_URL="nonsense://").stdout
    looks = ("work", "dev", "status", "jobs", "show", "logs")
    changes = (
        "dispatch",
        "retry",
        "cancel",
        "promote",
        "reschedule",
        "duplicate",
        "delete",
        "clean",
        "pause",
        "resume",
    )
    for name in (*looks, *changes):
        assert f"\n  {name} " in commands
