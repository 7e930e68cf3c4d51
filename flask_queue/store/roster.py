"""The living workers of an app: what each shows of itself, and what each is asked to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ..record import RunningJob, WorkerInfo
from .keys import QueueKeys, full_id
from .own_connection import Client
from .scripts import Argument, Call, load, run

#: What an operator can ask of a worker process: claim nothing more, finish and be replaced, end.
Request = Literal["quiet", "restart", "stop"]
#: A run is interrupted some moments after its time-out, and may need some more to end.
OVERDUE_AFTER_MS = 1000


@dataclass(frozen=True, slots=True)
class Shown:
    """What a worker shows of itself. Ages count back from its report by Redis's clock: no other matters then."""

    host: str
    pid: int
    version: str
    #: Queue → threads.
    queues: Mapping[str, int]
    age_ms: int
    rss_bytes: int
    #: Of each run: queue, local id, name, age (ms), time-out (ms).
    running: Sequence[tuple[str, str, str, int, int]]


class Roster:
    """The global keys of workers. Raises the client library's errors.

    Args:
        prefix: of all keys.
    """

    def __init__(self, prefix: str) -> None:
        #: Global keys are those of a queue without a name, which no queue can be.
        self.keys = QueueKeys(prefix, "")

    def report(self, client: Client, worker: str, shown: Shown, *, lease_ms: int) -> Request | None:
        """Show what a worker is at; returns what it is asked to do. Redis: report.lua, one round trip."""
        text = json.dumps(asdict(shown), separators=(",", ":"))
        asked = self._run(client, "report", worker, lease_ms, text)
        return asked.decode() or None

    def sign_off(self, client: Client, worker: str) -> None:
        """Forget a worker that ends. Redis: sign_off.lua, one round trip."""
        self._run(client, "sign_off", worker)

    def ask(self, client: Client, request: Request, worker: str | None = None, *, lease_ms: int) -> list[str]:
        """Ask a living worker, or all of them, to do something; returns the ids of those. Redis: ask.lua, one trip."""
        asked = self._run(client, "ask", lease_ms, request, *([] if worker is None else [worker]))
        return [worker_id.decode() for worker_id in asked]

    def living(self, client: Client, *, lease_ms: int) -> list[WorkerInfo]:
        """Who has not been silent for a lease, longest-running first. Redis: roster.lua, one round trip."""
        now, *rows = self._run(client, "roster", lease_ms)
        found = [_info(int(now), *rows[at : at + 4]) for at in range(0, len(rows), 4)]
        return sorted(found, key=lambda info: (info.started_at, info.id))

    def _run(self, client: Client, script: str, *args: Argument) -> Any:
        return run(client, Call(load(script), self.keys, args))


def _info(now_ms: int, worker: bytes, beat_ms: bytes, shown: bytes, asked: bytes) -> WorkerInfo:
    at, _, text = shown.partition(b" ")
    at_ms, data = int(at), json.loads(text)
    running = tuple(_running(now_ms, at_ms, data["running"]))
    return WorkerInfo(
        id=worker.decode(),
        host=data["host"],
        pid=data["pid"],
        version=data["version"],
        queues=data["queues"],
        busy=len(running),
        running=running,
        rss_bytes=data["rss_bytes"],
        started_at=_moment(at_ms - data["age_ms"]),
        last_beat_at=_moment(int(float(beat_ms))),
        asked=asked.decode() or None,
    )


def _running(now_ms: int, at_ms: int, runs: Sequence[Any]) -> Iterator[RunningJob]:
    for queue, local_id, name, age_ms, timeout_ms in runs:
        started_ms = at_ms - age_ms
        overdue = now_ms > started_ms + timeout_ms + OVERDUE_AFTER_MS
        yield RunningJob(full_id(queue, local_id), name, queue, _moment(started_ms), overdue)


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
