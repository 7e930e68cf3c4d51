"""The worker processes of a session: some alone, some under a supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.chaos.journal import read_journal
from tests.supervision.conftest import processes

#: The command lines of the fleet.
PLAIN: Sequence[str] = ()
SUPERVISED: Sequence[str] = ("--processes", "2")
FLEET = (PLAIN, PLAIN, PLAIN, SUPERVISED)
END_S = 20


class Member:
    """One command, started anew whenever it has ended."""

    def __init__(self, words: Sequence[str], process: subprocess.Popen[bytes]) -> None:
        self.words = words
        self.process = process

    @property
    def is_supervisor(self) -> bool:
        return bool(self.words)


class Fleet:
    """Starts the processes and finds those that can be harmed. Belongs to one thread.

    Args:
        folder: for logs and the jobs' journal.
        url: of Redis.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.journal = folder / "jobs"
        self._environment = {**os.environ, "QUEUE_REDIS_URL": url, "JOURNAL": str(self.journal)}
        self._log = (folder / "workers").open("ab")
        self.members = [Member(words, self._start(words)) for words in FLEET]

    def replace_dead(self) -> None:
        """Start anew what has ended."""
        for member in self.members:
            if member.process.poll() is not None:
                member.process = self._start(member.words)

    def workers(self) -> dict[int, Member]:
        """The worker processes that have run a job, and the command that each belongs to."""
        busy = {line.pid for line in read_journal(self.journal)}
        owners = {member.process.pid: member for member in self.members}
        alone = {pid: member for pid, member in owners.items() if not member.is_supervisor}
        supervised = {
            pid: owners[parent] for parent, pid, args in processes() if parent in owners and "--leash" in args
        }
        return {pid: member for pid, member in (alone | supervised).items() if pid in busy}

    def end(self) -> list[int]:
        """End all in order, killing what does not; the exit statuses."""
        for member in self.members:
            with suppress(ProcessLookupError):
                member.process.send_signal(signal.SIGTERM)
        statuses = [self._wait(member.process) for member in self.members]
        self._log.close()
        return statuses

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(END_S)
        except subprocess.TimeoutExpired:
            children = [pid for parent, pid, _ in processes() if parent == process.pid]
            process.kill()
            for pid in children:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return process.wait()

    def _start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "flask", "--app", "tests.chaos.program", "queue", "work", *words]
        self._log.write(f"{time.strftime('%T')} starts {words}\n".encode())
        return subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd=Path(__file__).parents[2],
        )
