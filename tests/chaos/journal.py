"""What a session leaves behind: the journals of jobs, driver and faults, and what Redis holds in the end."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Literal, NamedTuple

from tests.store.checks import Snapshot

#: What was done to a process, or to Redis.
FaultKind = Literal["kill", "term", "stop", "orphan", "heart", "redis-kill", "redis-stop", "redis-freeze", "clients"]
#: What became of a call: it was done, refused, or nobody knows, as Redis was away.
Answer = Literal["done", "refused", "unsure"]
FOREVER_NS = 2**63


class Line(NamedTuple):
    """A line that a job wrote when its run started or ended. `at_ns`: Unix time."""

    event: str
    job_id: str
    number: int
    worker: str
    pid: int
    claimed_ms: int
    at_ns: int
    how: str


@dataclass(frozen=True)
class Run:
    """One start of a handler, and its end if there was one."""

    start: Line
    end: Line | None

    @property
    def has_completed(self) -> bool:
        return self.end is not None and self.end.how == "completed"


@dataclass(frozen=True)
class Sent:
    """A job that was dispatched, or may have been."""

    job_id: str
    answer: Answer
    at_ns: int
    #: The job's state in the end, if nothing comes between.
    expected: str
    unique_key: str | None = None


@dataclass(frozen=True)
class Action:
    """An operator's action, from the call to its return. `job_id` is `*` for all jobs; `state` is what it returned."""

    verb: str
    job_id: str
    answer: Answer
    from_ns: int
    until_ns: int
    state: str = ""


@dataclass(frozen=True)
class Fault:
    """Something bad, from its beginning to its end. `pid`: of the worker process, 0 for Redis."""

    kind: FaultKind
    pid: int
    from_ns: int
    until_ns: int = FOREVER_NS


class Past(NamedTuple):
    """A line of a job's history, as Redis holds it. Times are Unix ms."""

    number: int
    outcome: str
    started_at: int
    finished_at: int
    worker: str
    error: Mapping[str, str] | None


@dataclass
class Notes:
    """What the driver notes, also in a file, for people."""

    file: IO[str] | None = None
    sent: list[Sent] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def note(self, entry: Sent | Action | Fault) -> None:
        match entry:
            case Sent():
                self.sent.append(entry)
            case Action():
                self.actions.append(entry)
            case Fault():
                self.faults.append(entry)
        if self.file is not None:
            self.file.write(json.dumps({"what": type(entry).__name__, **asdict(entry)}) + "\n")
            self.file.flush()


@dataclass
class Evidence:
    """All that is known of a session.

    `api`: full id → the states in which the public listings showed it. `is_lossy`: Redis does not sync every write.
    """

    lines: Sequence[Line]
    notes: Notes
    snapshots: Mapping[str, Snapshot]
    api: Mapping[str, Sequence[str]]
    is_lossy: bool = False

    @cached_property
    def runs(self) -> Mapping[str, Sequence[Run]]:
        """Full id → its runs in the order of their starts."""
        ends = {(line.job_id, line.number, line.pid): line for line in self.lines if line.event == "end"}
        runs: dict[str, list[Run]] = defaultdict(list)
        for line in sorted((line for line in self.lines if line.event == "start"), key=lambda line: line.at_ns):
            runs[line.job_id].append(Run(line, ends.get((line.job_id, line.number, line.pid))))
        return runs

    @cached_property
    def pasts(self) -> Mapping[str, Sequence[Past]]:
        """Full id → its history, oldest first; of jobs that completed in their first run there is none."""
        return {
            f"{queue}:{local_id.decode()}": [Past(**json.loads(line)) for line in text.split(b"\n")]
            for queue, found in self.snapshots.items()
            for local_id, text in found.attempts.items()
        }

    def faults(self, *kinds: FaultKind) -> Iterable[Fault]:
        return (fault for fault in self.notes.faults if fault.kind in kinds)


def read_journal(path: Path) -> list[Line]:
    """The lines that jobs have written."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        event, job_id, number, worker, pid, claimed_ms, at_ns, how = text.split(" ")
        lines.append(Line(event, job_id, int(number), worker, int(pid), int(claimed_ms), int(at_ns), how))
    return lines
