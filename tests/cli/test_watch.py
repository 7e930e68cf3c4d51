"""`flask queue status --watch`, on a terminal and off it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
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
    from collections.abc import Iterator

    from flask import Flask

    from tests.cli.conftest import Invoke
    from tests.servers import RedisServer

QUICK = ("--watch", "--interval", "0.1")


class Terminal:
    """A terminal and the command on it, as a person sees and uses it.

    Args:
        rows: its height; it is 120 characters wide.
    """

    def __init__(self, command: list[str], folder: str, env: dict[str, str], *, rows: int) -> None:
        self._master, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 120, 0, 0))
        self._seen = b""
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
        lines, text = [""], self._seen.decode(errors="ignore").replace("\r\n", "\n")
        for part in re.split(r"(\x1b\[\d*[A-Za-z]|\n)", text):
            if part == "\n":
                lines.append("")
            elif part.endswith("F") and part.startswith("\x1b"):
                up = int(part[2:-1])
                lines = [*lines[: len(lines) - 1 - up], ""]
            elif not part.startswith("\x1b"):
                lines[-1] += part
        return lines

    def press_ctrl_c(self) -> int:
        """The exit status after it."""
        os.write(self._master, b"\x03")
        return self.process.wait(PATIENCE_S)

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
            self._seen += some


@contextmanager
def on_terminal(commands: CommandLine, *words: str, rows: int = 30) -> Iterator[Terminal]:
    """A command on a terminal of its own."""
    command = commands._command(words)
    terminal = Terminal(command, str(commands.folder), commands.environment(COLUMNS="", LINES=""), rows=rows)
    try:
        yield terminal
    finally:
        terminal.close()


def wait_for(terminal: Terminal, *patterns: str) -> None:
    """Wait until lines stand on the screen that match all of these."""

    def stand_there() -> bool:
        lines = terminal.screen
        return all(any(re.search(pattern, line) for line in lines) for pattern in patterns)

    wait_until(stand_there, PATIENCE_S, what=f"{patterns} on the screen")


def test_the_picture_is_drawn_in_place(app: Flask, flask: CommandLine) -> None:
    """What changes is seen, and nothing is left of the pictures before; Ctrl-C ends it well."""
    program.Add.dispatch(1)
    with on_terminal(flask, "queue", "status", *QUICK) as terminal:
        wait_for(
            terminal, r"0 workers, 0 busy threads$", r"^default +1 +0 +0 +0 +0 +0 +\d+.* m?s +0$", r"^emails +0.* - +0$"
        )
        program.queue.pause("emails", "moving \x1b[31m")
        program.Add.options(delay_s=60).dispatch(1)
        wait_for(terminal, r"^default +1 +1 ", r"^emails is paused: moving \\x1b\[31m$")
        program.queue.resume("emails")
        wait_until(lambda: len([line for line in terminal.screen if line]) == 4, PATIENCE_S)
        assert sum(line.startswith("QUEUE") for line in terminal.screen) == 1
        assert terminal.press_ctrl_c() == 0
        assert terminal.process.stderr is not None
        assert terminal.process.stderr.read() == b""


def test_a_low_terminal_is_not_scrolled(app: Flask, flask: CommandLine) -> None:
    """What has no room is cut: the next picture could not take its place."""
    with on_terminal(flask, "queue", "status", *QUICK, rows=4) as terminal:
        wait_for(terminal, "^default")
        program.Add.dispatch(1)
        wait_for(terminal, "^default +1 ")
        assert [line.split()[0] for line in terminal.screen if line][1:] == ["QUEUE", "default"]


def test_a_server_that_is_away_is_told_until_it_is_back(own_server: RedisServer, bare: CommandLine) -> None:
    """In the place of the picture; also where it is away from the start."""
    bare.settings["QUEUE_REDIS_URL"] = own_server.url
    own_server.stop()
    with on_terminal(bare, "queue", "status", *QUICK) as terminal:
        wait_for(terminal, r"Trying again: Redis at .* is not available \(")
        own_server.start()
        wait_for(terminal, "^default")
        own_server.stop()
        wait_for(terminal, "is not available")
        assert len([line for line in terminal.screen if line]) == 1
        own_server.start()
        wait_for(terminal, "^default")
        assert terminal.press_ctrl_c() == 0


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
