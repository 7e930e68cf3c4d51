"""The processes of a peer: one client, and workers with all their children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
#: For workers to end gracefully.
_PATIENCE_S = 10.0


class Client:
    """A peer's client: one request at a time."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path, log: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            command, env=dict(env), cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Send a request and wait for its answer.

        Raises:
            RuntimeError: the client has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"verb": verb, **arguments}) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the client has ended at {verb!r}")
        return json.loads(answer)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of some processes together."""

    rss_bytes: int
    #: Pages that processes share are counted once.
    pss_bytes: int


class Workers:
    """The worker processes of a peer."""

    def __init__(self, commands: Sequence[Sequence[str]], env: Mapping[str, str], cwd: Path, log: IO[bytes]) -> None:
        self._roots = [
            # A session of its own, so that no signal of the terminal reaches it.
            subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            for command in commands
        ]

    def check(self) -> None:
        """Raise RuntimeError if one has ended."""
        for process in self._roots:
            if process.poll() is not None:
                raise RuntimeError(f"a worker has ended with status {process.returncode}")

    def pids(self) -> list[int]:
        """All that live, with their children."""
        children: dict[int, list[int]] = {}
        for pid, fields in _stats():
            children.setdefault(int(fields[1]), []).append(pid)
        found = [process.pid for process in self._roots if process.poll() is None]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu_s(self) -> float:
        """Processor time of all of them so far, that of children which have ended too."""
        mine = set(self.pids())
        # utime, stime, cutime, cstime
        return sum(sum(map(int, fields[11:15])) for pid, fields in _stats() if pid in mine) / _TICKS_PER_S

    def footprint(self) -> Footprint:
        """The memory that they take."""
        rss = pss = 0
        for pid in self.pids():
            try:
                rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
            except OSError:
                continue
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
            rss += sizes["Rss"] * 1024
            pss += sizes["Pss"] * 1024
        return Footprint(rss, pss)

    def freeze(self) -> None:
        """Halt them."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End them, gracefully if they can be."""
        for process in self._roots:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + _PATIENCE_S
        for process in self._roots:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            # Children that have outlived it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _stats() -> list[tuple[int, list[str]]]:
    """Of each process its id and the fields of its stat from the third on."""
    found = []
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:
                continue
            found.append((int(folder.name), text.rpartition(")")[2].split()))
    return found
