"""`flask queue status --watch`, on a terminal and off it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cli import program
from tests.cli.processes import PATIENCE_S, CommandLine
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

    from tests.cli.conftest import Invoke
    from tests.servers import RedisServer

QUICK = ("--watch", "--interval", "0.1")


class Terminal:
    """A terminal and the command on it, as a person sees and uses it.

    Args:
        columns: its width.
        rows: its height.
    """

    def __init__(self, command: list[str], folder: str, env: dict[str, str], *, columns: int, rows: int) -> None:
        self._master, end = pty.openpty()
        self.resize(columns, rows)
        self.settings = termios.tcgetattr(self._master)
        self.seen = b""
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=end,
            stdout=end,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - what Ctrl-C is sent through
        )
        os.close(end)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def screen(self) -> list[str]:
        """The lines that stand there now."""
        lines, row = [""], 0
        for part in re.split(r"(\x1b\[\??\d*[A-Za-z]|\n)", self.seen.decode(errors="ignore").replace("\r\n", "\n")):
            if part == "\x1b[H":
                row, lines = 0, [lines[0], *lines[1:]]
            elif part == "\x1b[J":
                lines = lines[: row + 1]
            elif part == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif part and not part.startswith("\x1b"):
                lines[row] = part
        return lines

    @property
    def is_given_back(self) -> bool:
        """Whether the other screen is left, with its cursor, and keys are what they were."""
        entered, left = self.seen.rfind(b"\x1b[?1049h"), self.seen.rfind(b"\x1b[?1049l")
        return entered < left and b"\x1b[?25h" in self.seen[entered:] and self.settings == self.current_settings

    @property
    def current_settings(self) -> list[object]:
        """Of the terminal: whether a key is told at once, among others."""
        return termios.tcgetattr(self._master)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self) -> int:
        """The exit status."""
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._master)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        while True:
            try:
                some = os.read(self._master, 4096)
            except OSError:  # the command has ended
                return
            if not some:
                return
            self.seen += some


@contextmanager
def on_terminal(commands: CommandLine, *words: str, columns: int = 120, rows: int = 30) -> Iterator[Terminal]:
    """`flask queue status --watch` on a terminal of its own, or another command."""
    command = list(words) or commands._command(["queue", "status", *QUICK])
    env = commands.environment(TERM="xterm")
    terminal = Terminal(command, str(commands.folder), env, columns=columns, rows=rows)
    try:
        yield terminal
    finally:
        terminal.close()


def wait_for(terminal: Terminal, *patterns: str) -> None:
    """Wait until lines stand on the screen that match all of these."""

    def stand_there() -> bool:
        lines = terminal.screen
        return all(any(re.search(pattern, line) for line in lines) for pattern in patterns)

    try:
        wait_until(stand_there, PATIENCE_S, what=f"{patterns} on the screen")
    except AssertionError as error:
        error.add_note("\n".join(terminal.screen))
        raise


def test_the_picture_is_drawn_in_place(app: Flask, flask: CommandLine) -> None:
    """What changes is seen, and nothing is left of the pictures before; Ctrl-C ends it well."""
    program.Add.dispatch(1)
    with on_terminal(flask) as terminal:
        wait_for(
            terminal,
            r"0 workers, 0 of 0 threads busy, 0 done and 0 failed a minute$",
            r"^default +1 +0 +0 +0 +0 +0 +\d+.* m?s +0 +0 +0$",
            r"^emails +0.* - +0 +0 +0$",
            r"^default has jobs to run and no worker",
        )
        program.queue.pause("emails", "moving \x1b[31m")
        program.Add.options(delay_s=60).dispatch(1)
        wait_for(terminal, r"^default +1 +1 ", r"^emails is paused: moving \\x1b\[31m$")
        program.queue.resume("emails")
        wait_until(lambda: len([line for line in terminal.screen if line]) == 5, PATIENCE_S)
        assert sum(line.startswith("QUEUE") for line in terminal.screen) == 1
        terminal.type(b"\x03")
        assert terminal.end() == 0
        assert terminal.is_given_back
        assert terminal.process.stderr is not None
        assert terminal.process.stderr.read() == b""


def test_what_fails_is_seen(app: Flask, flask: CommandLine, work: Callable[[], None]) -> None:
    """How often, when last, with what, and the name of the group that `retry --all --error` takes."""
    program.Boom.dispatch()
    work()
    [group] = program.queue.failures()
    with on_terminal(flask) as terminal:
        wait_for(terminal, rf"^ +1 +\d+ s ago +{group.fingerprint} +\S+:Boom.handle +ValueError: no \\x1b\[31mred$")


def test_q_ends_it(flask: CommandLine) -> None:
    """At once, whatever the interval; other keys do nothing, and none of them is left to the shell."""
    with on_terminal(flask, *flask._command(["queue", "status", "--watch", "--interval", "3600"])) as terminal:
        wait_for(terminal, "^default")
        assert not terminal.is_given_back
        terminal.type(b"x\nq")
        assert terminal.end() == 0
        assert terminal.is_given_back


def test_a_signal_gives_the_terminal_back(flask: CommandLine) -> None:
    """As any other end."""
    with on_terminal(flask) as terminal:
        wait_for(terminal, "^default")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert terminal.is_given_back


def test_ctrl_z_lends_the_terminal_to_the_shell(flask: CommandLine) -> None:
    """Until it gets it back."""
    watch = shlex.join(flask._command(["queue", "status", *QUICK]))
    shell = f"exec 2>&1; set -m; {watch}; echo the shell; read -r; fg"
    with on_terminal(flask, "bash", "-c", shell) as terminal:
        wait_for(terminal, "^default")
        terminal.type(b"\x1a")
        wait_until(lambda: b"the shell" in terminal.seen and terminal.is_given_back, PATIENCE_S)
        terminal.type(b"\n")
        wait_until(lambda: not terminal.is_given_back, PATIENCE_S)
        wait_for(terminal, "^default")
        terminal.type(b"q")
        assert terminal.end() == 0
        assert terminal.is_given_back


def test_a_small_terminal_shows_what_matters(app: Flask, flask: CommandLine) -> None:
    """Whole columns go, then lines; nothing is scrolled or wrapped, and a new size is seen at once."""
    with on_terminal(flask, columns=40, rows=4) as terminal:
        wait_for(terminal, "^default +0 +0 +-$")
        assert max(map(len, terminal.screen)) <= 40
        assert terminal.screen[1] == "QUEUE    WAITING  FAILED  OLDEST WAIT"
        terminal.resize(120, 30)
        wait_for(terminal, r"^QUEUE +WAITING +DELAYED .* FAILED/MIN$")
        terminal.resize(40, 3)
        wait_until(lambda: len(terminal.screen) == 3, PATIENCE_S)
        assert [line.split()[0] for line in terminal.screen][1:] == ["QUEUE", "…"]


def test_a_server_that_is_away_is_told_until_it_is_back(own_server: RedisServer, bare: CommandLine) -> None:
    """In the place of the picture; also where it is away from the start."""
    bare.settings["QUEUE_REDIS_URL"] = own_server.url
    own_server.stop()
    with on_terminal(bare) as terminal:
        wait_for(terminal, r"Trying again: Redis at .* is not available \(")
        own_server.start()
        wait_for(terminal, "^default")
        own_server.stop()
        wait_for(terminal, "is not available")
        assert len([line for line in terminal.screen if line]) == 1
        own_server.start()
        wait_for(terminal, "^default")
        terminal.type(b"q")
        assert terminal.end() == 0


def test_without_a_terminal_pictures_follow_each_other(own_server: RedisServer, bare: CommandLine) -> None:
    """Without escape sequences, and an outage is told once."""
    watching = bare.start("queue", "status", *QUICK, QUEUE_REDIS_URL=own_server.url)
    wait_until(lambda: watching.printed.count("QUEUE ") >= 3, PATIENCE_S)
    own_server.stop()
    watching.wait_for("is not available")
    own_server.start()
    seen = watching.printed.count("QUEUE ")
    wait_until(lambda: watching.printed.count("QUEUE ") >= seen + 2, PATIENCE_S)
    watching.send(signal.SIGINT)
    assert watching.end() == 0
    assert watching.printed.count("is not available") == 1
    assert "\x1b" not in watching.printed
    assert "Traceback" not in watching.printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--watch", "--json"], "give either --watch or --json"),
        (["--watch", "--interval", "0"], "0 is not in the range"),
        (["--watch", "--interval", "nan"], "nan is not a number"),
        (["--watch", "--interval", "inf"], "inf is not in the range"),
    ],
    ids=str,
)
def test_wrong_words_are_wrong_usage(invoke: Invoke, words: list[str], message: str) -> None:
    """Status 2, and what was wrong with what."""
    result = invoke("status", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
