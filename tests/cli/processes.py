"""`flask queue …` in processes of its own, as users run it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING

from flask_queue.cli.stopping import SAME_SIGNAL_S
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Seconds that anything may take on a busy machine.
PATIENCE_S = 20
#: What this machine has set for other software, or for Python itself, stays out of the tests.
FOREIGN = ("FLASK_", "QUEUE", "REDIS_", "PYTHONUNBUFFERED")


class Running:
    """A command that runs, in a process group of its own as a terminal would give it."""

    def __init__(self, command: Sequence[str], folder: Path, env: dict[str, str], output: Path) -> None:
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    def wait_for(self, *words: str) -> None:
        """Wait until it has printed all of these, and is alive."""

        def has_printed() -> bool:
            assert self.process.poll() is None, self.printed
            return all(word in self.printed for word in words)

        try:
            wait_until(has_printed, PATIENCE_S, what=f"{words} are printed")
        except AssertionError as error:
            error.add_note(self.printed)
            raise

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end, and return the exit status."""
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        _kill(self.process)


class CommandLine:
    """The `flask` command in the folder of an app.

    Args:
        folder: has the app in `app.py`.
        settings: environment of every command.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = settings
        self._numbers = count()
        self._running: list[Running] = []

    def start(self, *words: str, **settings: str) -> Running:
        """Start a command and return at once; it is killed after the test."""
        output = self.folder / f"printed-{next(self._numbers)}"
        running = Running(self._command(words), self.folder, self.environment(**settings), output)
        self._running.append(running)
        return running

    @contextmanager
    def piped(self, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
        """A command whose output and errors are read through pipes; killed at the end."""
        pipe = subprocess.PIPE
        with subprocess.Popen(
            self._command(words),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                yield process, process.stdout, process.stderr
            finally:
                _kill(process)

    def run(self, *words: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        env = self.environment(**settings)
        return subprocess.run(
            self._command(words),
            cwd=self.folder,
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def on_terminal(self, answer: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with a terminal for standard input, into which an answer was typed ahead."""
        terminal, end = pty.openpty()
        try:
            os.write(terminal, answer.encode())
            return subprocess.run(
                self._command(words),
                cwd=self.folder,
                env=self.environment(),
                stdin=end,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        finally:
            os.close(terminal)
            os.close(end)

    def fails(self, *words: str, status: int = 1, **settings: str) -> str:
        """Run a command that must fail with one line, and without a traceback; return the line."""
        done = self.run(*words, **settings)
        assert done.returncode == status, done
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        return line

    def seconds(self, *words: str, **settings: str) -> float:
        """How long a command takes."""
        started_s = time.monotonic()
        self.run(*words, **settings)
        return time.monotonic() - started_s

    def environment(self, **settings: str) -> dict[str, str]:
        rest = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        return {**rest, **self.settings, **settings}

    def close(self) -> None:
        for running in self._running:
            running.kill()

    def _command(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "flask", *words]


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def let_a_moment_pass() -> None:
    """Wait until another signal is a second one: those that come together count as one."""
    until_s = time.monotonic() + 2 * SAME_SIGNAL_S
    wait_until(lambda: time.monotonic() > until_s)
