"""`flask queue dev`: all in one terminal, and nothing left of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.cli.processes import PATIENCE_S, let_a_moment_pass
from tests.embedded.processes import is_alive, is_locked
from tests.needs import require
from tests.servers import free_port
from tests.support import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.processes import CommandLine, Running

pytestmark = [pytest.mark.needs("valkey-server"), pytest.mark.needs("ps")]


class Dev:
    """A running `flask queue dev` whose web server and worker are up."""

    def __init__(self, commands: CommandLine, *words: str, **settings: str) -> None:
        self.commands = commands
        self.port = free_port()
        self.running: Running = commands.start(*words, "queue", "dev", "--port", str(self.port), **settings)
        self.running.wait_for("Running on", "[worker] ", " runs (")

    def children(self) -> dict[str, int]:
        """The process ids of web server and worker."""
        mine = {args: pid for pid, args in self._started_by(self.running.process.pid).items()}
        return {
            name: pid for name in ("run", "work") for args, pid in mine.items() if re.search(rf" {name}( |$)", args)
        }

    def family(self) -> list[int]:
        """Every process that it has started, or that one of those has."""
        found = [self.running.process.pid]
        for pid in found:
            found += self._started_by(pid)
        return found

    def get(self, path: str) -> str:
        direct = build_opener(ProxyHandler({}))
        with direct.open(f"http://127.0.0.1:{self.port}{path}") as answer:
            return str(answer.read().decode())

    def has_server(self) -> bool:
        """Whether its embedded server runs, or is still ending."""
        return is_locked(self.commands.folder / "instance" / "queue" / "server.lock")

    def assert_gone(self, family: list[int]) -> None:
        """Nothing of it is left, the embedded server included."""
        assert len(family) > 3, "web server, worker and guard"
        wait_until(lambda: not [pid for pid in family if is_alive(pid)], PATIENCE_S, what="its processes are gone")
        wait_until(lambda: not self.has_server(), PATIENCE_S, what="its embedded server is gone")

    def _started_by(self, parent: int) -> dict[int, str]:
        command = [require("ps"), "-A", "-ww", "-o", "ppid=,pid=,args="]
        listing = subprocess.run(command, capture_output=True, text=True, check=True)
        rows = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
        return {int(pid): args for ppid, pid, args in rows if int(ppid) == parent}


def test_one_signal_ends_all(bare: CommandLine) -> None:
    """With nothing configured it brings a server along; jobs go from the web server to the worker; Ctrl-C ends it."""
    dev = Dev(bare)
    assert f"using embedded://queue, an embedded server with its data in {bare.folder}/instance/queue" in (
        dev.running.printed
    )
    assert set(dev.children()) == {"run", "work"}
    job_id = dev.get("/add/40")
    wait_until(lambda: "result      42" in bare.run("queue", "show", job_id).stdout, PATIENCE_S)

    assert dev.has_server()
    family = dev.family()
    dev.running.send(signal.SIGINT)
    assert dev.running.end() == 0
    assert "Traceback" not in dev.running.printed
    assert re.search(r"^\[web\]    .*GET /add/40", dev.running.printed, re.MULTILINE)
    assert re.search(r"^\[worker\] .*has stopped", dev.running.printed, re.MULTILINE)
    dev.assert_gone(family)
    assert [path.name for path in (bare.folder / "instance").iterdir()] == ["queue"]


def test_other_commands_find_the_server_of_dev(bare: CommandLine) -> None:
    """They say so; `work`, which would work elsewhere, refuses and names the setting; a second `dev` refuses too."""
    dev = Dev(bare)
    done = bare.run("queue", "dispatch", "Add", '{"a": 1}')
    assert done.returncode == 0
    assert done.stderr == "Using embedded://queue, the server of the running `flask queue dev`.\n"
    refused = bare.fails("queue", "work")
    assert "set QUEUE_REDIS_URL, to embedded://queue or to the server that you want" in refused
    assert "Another `flask queue dev` runs" in bare.fails("queue", "dev")

    dev.running.send(signal.SIGTERM)
    assert dev.running.end() == 0
    assert "Using" not in bare.run("queue", "status").stderr


@pytest.mark.parametrize(("child", "name"), [("run", "web"), ("work", "worker")])
def test_the_death_of_one_ends_the_other(flask: CommandLine, child: str, name: str) -> None:
    """Half of it would look as if it worked. It uses the server that is configured, and says who died."""
    dev = Dev(flask)
    assert "embedded" not in dev.running.printed
    family = dev.family()
    os.kill(dev.children()[child], signal.SIGKILL)
    assert dev.running.end() == 1
    assert f"{name} ended with status -9: ending the rest.\n" in dev.running.printed
    assert "Traceback" not in dev.running.printed
    dev.assert_gone(family)


def test_a_port_that_is_taken_ends_all(flask: CommandLine) -> None:
    """The web server says why, and the status is 1."""
    first = Dev(flask)
    second = flask.start("queue", "dev", "--port", str(first.port))
    assert second.end() == 1
    assert re.search(r"^\[web\] .*in use", second.printed, re.MULTILINE)
    assert "web ended with status 1" in second.printed


def test_a_reloader_and_what_jobs_started_end_too(flask: CommandLine) -> None:
    """In debug mode the web server is two processes; a job may have left one behind."""
    dev = Dev(flask, "--debug")
    dev.running.wait_for("Debugger is active")
    job = flask.run("queue", "dispatch", "Start", "{}").stdout.strip()
    wait_until(lambda: "completed" in flask.run("queue", "show", job).stdout, PATIENCE_S)
    assert len(dev.family()) >= 6, "dev, web server and its reloader, worker and its child, guard"
    family = dev.family()
    dev.running.send(signal.SIGTERM)
    assert dev.running.end() == 0
    dev.assert_gone(family)


def test_a_second_signal_does_not_wait_for_jobs(flask: CommandLine, tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice means it."""
    dev = Dev(flask)
    sign = tmp_path / "sign"
    flask.run("queue", "dispatch", "Nap", f'{{"sign": "{sign}", "seconds": 60}}')
    wait_until(sign.exists, PATIENCE_S)
    family = dev.family()
    dev.running.send(signal.SIGINT)
    dev.running.wait_for("finishing what runs")
    let_a_moment_pass()
    dev.running.send(signal.SIGINT)
    dev.running.process.wait(3)
    dev.assert_gone(family)


def test_nothing_outlives_a_killed_dev(bare: CommandLine) -> None:
    """It cannot end its children itself then: the pipe that breaks does."""
    dev = Dev(bare)
    family = dev.family()
    dev.running.send(signal.SIGKILL)
    dev.running.end()
    dev.assert_gone(family)


def test_a_reader_that_leaves_ends_it(bare: CommandLine) -> None:
    """`flask queue dev | head` ends with the next line, with its children, and without a complaint."""
    port = free_port()
    with bare.piped("queue", "dev", "--port", str(port)) as (dev, output, errors):
        while b"Running on" not in output.readline():
            pass
        output.close()
        # The server logs the request: whoever writes nothing cannot notice that nobody reads.
        with suppress(OSError):
            build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S).close()
        complaints = errors.read().decode()
        assert dev.wait(PATIENCE_S) == 0
    assert "nobody reads the output: ending" in complaints
    assert "Traceback" not in complaints
    assert "BrokenPipe" not in complaints


def test_a_closed_terminal_ends_it(bare: CommandLine) -> None:
    """Then it has nobody to tell that it ends, and ends all the same, in the usual way."""
    with bare.piped("queue", "dev", "--port", str(free_port())) as (dev, output, errors):
        while not output.readline().startswith(b"[worker]"):
            pass
        errors.close()
        dev.send_signal(signal.SIGHUP)
        assert b"has stopped" in output.read()
        assert dev.wait(PATIENCE_S) == 0
