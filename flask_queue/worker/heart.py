"""The heart of a worker process: a small process beside it that beats while the worker's own interpreter cannot.

One call that keeps Python's interpreter lock, as a regular expression can for minutes, stops every thread of a worker,
its pump included. Nothing inside that interpreter could keep the leases of its jobs then, so this process does. It is
started as a file, and until it has to beat it loads nothing but parts of the standard library: 10 MB of memory, where
the package takes 45.

It never outlives its worker: that one's end closes standard input, and before each look it checks that its parent is
still the same. It does not speak for a worker that is stopped (SIGSTOP). A worker that is stuck for good, it kills.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from mmap import PAGESIZE, mmap
from pathlib import Path
from struct import Struct
from types import ModuleType
from typing import Any

#: Seconds after which this process knows that it stood still itself, and takes nobody's silence for a sign.
FROZEN_S = 3.0
#: Longest time between two looks.
MAX_LOOK_S = 1.0
#: A worker whose pump has not moved for so many of its beats is late.
LATE_BEATS = 1.5
#: And one whose interpreter has not ticked for so many: as it does that five times a second, this is known sooner. The
#: first beat from here loads the client library, which takes long on a machine that is busy.
LATE_TICK_BEATS = 0.75
#: A pump that waits for Redis is silent for up to its socket time-out, connecting for another, and may then try again.
PATIENCE_FOR_REDIS = 4

_SECONDS = Struct("@d")


class Pulse:
    """What a worker process shows of its life: a few numbers in memory that it shares with its heart.

    Writing one takes no lock and no system call; eight aligned bytes are written as a whole. Times are of the monotonic
    clock, which all processes of a machine share.

    Args:
        file: of the shared memory; -1 for a process without a heart.
    """

    SIZE = PAGESIZE

    def __init__(self, file: int = -1) -> None:
        self._memory = mmap(file, self.SIZE)

    @property
    def ticked_s(self) -> float:
        """When the interpreter last ran a thread that does nothing else."""
        return self._read(0)

    @property
    def moved_s(self) -> float:
        """When the pump last went round."""
        return self._read(1)

    @property
    def longest_s(self) -> float:
        """The longest `timeout_s` of what runs."""
        return self._read(2)

    def tick(self) -> None:
        """The interpreter runs."""
        _SECONDS.pack_into(self._memory, 0, time.monotonic())

    def move(self) -> None:
        """The pump goes round."""
        _SECONDS.pack_into(self._memory, _SECONDS.size, time.monotonic())

    def expect(self, longest_s: float) -> None:
        """Nothing that runs may take longer."""
        _SECONDS.pack_into(self._memory, 2 * _SECONDS.size, longest_s)

    def _read(self, place: int) -> float:
        value: float = _SECONDS.unpack_from(self._memory, place * _SECONDS.size)[0]
        return value


class Heart:
    """Watches one worker.

    Args:
        settings: the first line that the worker writes, see `heartbeat.Heartbeat`.
        pulse: what the worker shows.
        client: what beats; made when it is needed first.
    """

    def __init__(self, settings: dict[str, Any], pulse: Pulse, client: Any = None) -> None:
        self.settings = settings
        self._pulse = pulse
        self._client = client
        #: A worker is given up for silence since then at the earliest.
        self._since_s = self._looked_s = time.monotonic()
        self._beat_at_s = 0.0
        self._has_failed = False

    @property
    def look_s(self) -> float:
        """Seconds between two looks."""
        return min(MAX_LOOK_S, float(self.settings["beat_s"]) / 2)

    def look(self) -> None:
        """Do what is to be done now."""
        now_s = time.monotonic()
        if now_s - self._looked_s > self.look_s + FROZEN_S:
            self._since_s = now_s
        beat_s = self.settings["beat_s"]
        if now_s - self._pulse.ticked_s > beat_s * LATE_TICK_BEATS or now_s - self._pulse.moved_s > beat_s * LATE_BEATS:
            self._stand_in(now_s)
        self._looked_s = time.monotonic()

    def _stand_in(self, now_s: float) -> None:
        if is_stopped(self.settings["pid"]):
            self._since_s = now_s
        elif self._is_stuck(now_s):
            self._kill()
        elif now_s >= self._beat_at_s:
            self._beat_at_s = now_s + self.settings["beat_s"]
            self._beat()

    def _is_stuck(self, now_s: float) -> bool:
        allowed_s = self._pulse.longest_s + self.settings["lease_s"]
        if now_s - max(self._since_s, self._pulse.ticked_s) > allowed_s:
            return True
        allowed_s += PATIENCE_FOR_REDIS * self.settings["socket_timeout_s"]
        return bool(now_s - max(self._since_s, self._pulse.moved_s) > allowed_s)

    def _kill(self) -> None:
        silent_s = time.monotonic() - min(self._pulse.ticked_s, self._pulse.moved_s)
        self._say(f"Worker {self.settings['worker']} is stuck: for {silent_s:.0f} s nothing moved. It is killed.")
        os.kill(self.settings["pid"], signal.SIGKILL)

    def _beat(self) -> None:
        try:
            if self._client is None:
                self._client = connect(self.settings)
            with self._client.pipeline(transaction=False) as pipeline:
                for key in self.settings["keys"]:
                    pipeline.execute_command("EVAL", self.settings["script"], 1, key, self.settings["worker"])
                pipeline.execute()
            self._has_failed = False
        except Exception as error:
            # Tried again at the next look.
            self._beat_at_s = 0.0
            if self._has_failed or self._can_speak:
                return
            self._has_failed = True
            self._say(f"The leases of worker {self.settings['worker']} cannot be kept: {error}")

    @property
    def _can_speak(self) -> bool:
        """Whether the worker's interpreter runs: then it is Redis that keeps the pump waiting, which the pump tells."""
        return bool(time.monotonic() - self._pulse.ticked_s <= self.settings["beat_s"] * LATE_BEATS)

    def _say(self, text: str) -> None:
        """Print a line in the form of the worker's own."""
        now_s, pid = time.time(), self.settings["pid"]
        if self.settings["json_lines"]:
            moment = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds")
            line = json.dumps({"time": moment, "level": "ERROR", "process": pid, "message": text})
        else:
            line = f"{time.strftime('%F %T', time.localtime(now_s))},{now_s % 1 * 1000:03.0f} ERROR   {pid} {text}"
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def connect(settings: dict[str, Any]) -> Any:
    """A Redis client as the package makes them. The package itself is not loaded: it would bring Flask and all."""
    sys.path[:] = settings["path"]
    package = ModuleType("flask_queue")
    package.__path__ = [str(Path(__file__).parents[1])]
    sys.modules["flask_queue"] = package
    from flask_queue.store.connect import make_client

    return make_client(settings["url"], timeout_s=min(settings["socket_timeout_s"], settings["beat_s"]))


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal, or by a debugger."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        command = ["ps", "-o", "state=", "-p", str(pid)]
        state = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] in ("T", "t")


def main(file: int) -> None:
    """Watch the process that has started this one, as its lines on standard input say, until it ends."""
    with open(0, "rb", buffering=0) as lines:
        if not (line := lines.readline()).endswith(b"\n"):
            return
        heart = Heart(json.loads(line), Pulse(file))
        while os.getppid() == heart.settings["pid"]:
            if select.select([lines], [], [], heart.look_s)[0]:
                if not (line := lines.readline()).endswith(b"\n"):
                    return
                heart.settings = json.loads(line)
            heart.look()


if __name__ == "__main__":
    main(int(sys.argv[1]))
