"""The processes of `flask queue dev`: started together, shown in one terminal, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Self

from .text import show

#: Runs in a shell and waits on a pipe that only this process holds: if it breaks before a word was written to it, this
#: process was killed, and the children, named by their process groups, are asked to end.
GUARD = 'read -r _ || for group; do kill -s TERM -- "-$group"; done'
#: Width of the names in front of what the children print.
WIDTH = len("[worker]")
#: Seconds to read what a child has printed last.
LAST_WORDS_S = 1.0


@dataclass(frozen=True, slots=True)
class Child:
    """One process and the thread that shows what it prints."""

    name: str
    process: subprocess.Popen[bytes]
    printer: Thread


class Children:
    """Commands of one program, each in a process group of its own, so that Ctrl-C reaches this process alone.

    As a context manager it kills at exit what still runs.

    Args:
        program: the command line to which each child's own words are added.
        settings: their environment, beyond this process's.
        on_closed: called with a reason when nobody reads what they print any more.
    """

    def __init__(
        self, program: Sequence[str], settings: Mapping[str, str], *, on_closed: Callable[[str], None]
    ) -> None:
        self._program = program
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **settings}
        self._on_closed = on_closed
        self._children: list[Child] = []
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for child in self._children:
            # The whole group: a reloader's server, what a job has started.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
            child.printer.join(LAST_WORDS_S)
        if self._guard is not None:
            self._guard.communicate(b"done\n")

    def start(self, name: str, *arguments: str) -> None:
        """Start a child, and show what it prints with its name in front."""
        process = subprocess.Popen(
            [*self._program, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        printer = Thread(target=self._print, args=(f"[{name}]".ljust(WIDTH), process), daemon=True)
        printer.start()
        self._children.append(Child(name, process, printer))

    def guard(self) -> None:
        """Let nothing outlive this process, even if it is killed."""
        groups = [str(child.process.pid) for child in self._children]
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "flask-queue-dev-guard", *groups],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ended(self) -> str | None:
        """Which child has ended, and how; None while all run."""
        for child in self._children:
            if (status := child.process.poll()) is not None:
                child.printer.join(LAST_WORDS_S)
                return f"{child.name} ended with status {status}"
        return None

    def are_running(self) -> bool:
        """Whether any child is left."""
        return any(child.process.poll() is None for child in self._children)

    def terminate(self) -> None:
        """Ask the children to end; they pass it on to what they have started themselves."""
        for child in self._children:
            child.process.terminate()

    def _print(self, prefix: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                show(f"{prefix} {line.decode(errors='replace').rstrip()}")
            except OSError:
                # Nobody reads it. What is buffered must not raise once more when this process ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                self._on_closed("nobody reads the output")
