"""From what Redis holds of a job to the record that users see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..record import Attempt, AttemptOutcome, JobError, JobRecord, Progress, from_ms
from .keys import full_id
from .state import StateRecord

#: States of a job whose last error still says something about it.
_TROUBLED = frozenset("wdaf")


@dataclass(frozen=True, slots=True)
class RawJob:
    """What Redis holds of one job, read at one moment."""

    queue: str
    local_id: str
    state: StateRecord
    message: bytes = b""
    attempts: bytes = b""
    progress: bytes = b""
    #: One a line.
    tags: bytes = b""
    #: The message was longer: only its beginning was read.
    is_cut: bool = field(default=False, kw_only=True)

    @property
    def name(self) -> str:
        """The job's name; it is the first line of its message."""
        return self.message.split(b"\n", 1)[0].decode()

    def record(self, max_retries: int, *, deduplicated: bool = False) -> JobRecord:
        """The public record; `max_retries` is that of the job's class, for jobs whose dispatch did not set its own."""
        state = self.state
        # What is behind a cut is not known, nor are the options.
        kwargs, args, options = ({}, [], {}) if self.is_cut else _read_message(self.message)
        history = tuple(self._history())
        errors = [attempt.error for attempt in history if attempt.error]
        started_ms = state.started_ms
        return JobRecord(
            id=full_id(self.queue, self.local_id),
            name=self.name,
            queue=self.queue,
            state=state.job_state,
            payload={"args": args, "kwargs": kwargs} if args else kwargs,
            payload_excerpt=self._excerpt() if self.is_cut else None,
            priority=state.priority,
            attempts=state.attempts,
            recoveries=state.recoveries,
            max_retries=options.get("max_retries", max_retries),
            created_at=from_ms(state.created_ms),
            scheduled_at=from_ms(state.due_ms),
            started_at=from_ms(started_ms),
            finished_at=from_ms(state.finished_ms),
            runtime_ms=state.runtime_ms if state.finished_ms and started_ms else None,
            wait_ms=wait_ms_of(state),
            result=_result(state),
            result_cut="t" in state.flags,
            error=errors[-1] if errors and state.state in _TROUBLED else None,
            history=history,
            progress=_progress(self.progress),
            worker=None if state.worker == "-" else state.worker,
            tags=tuple(self.tags.decode().split("\n")) if self.tags else (),
            deduplicated=deduplicated,
        )

    def _excerpt(self) -> str:
        """The beginning of the payload's JSON."""
        return self.message.partition(b"\n")[2].decode(errors="ignore")

    def _history(self) -> Iterator[Attempt]:
        lines = self.attempts.split(b"\n") if self.attempts else []
        for entry in map(json.loads, lines):
            yield Attempt(
                number=entry["number"],
                outcome=AttemptOutcome(entry["outcome"]),
                started_at=_moment(entry["started_at"]),
                finished_at=_moment(entry["finished_at"]),
                worker=entry["worker"],
                error=JobError(**entry["error"]) if entry["error"] else None,
            )
        state = self.state
        if not lines and state.state == "c":
            started, finished = _moment(state.started_ms), _moment(state.finished_ms)
            yield Attempt(state.number, AttemptOutcome.COMPLETED, started, finished, state.worker)


def _read_message(message: bytes) -> tuple[dict[str, Any], Sequence[Any], Mapping[str, Any]]:
    lines = message.split(b"\n")
    kwargs = json.loads(lines[1]) if len(lines) > 1 else {}
    args, options, _ = json.loads(lines[2]) if len(lines) > 2 else ([], {}, 0)
    return kwargs, args, options


def wait_ms_of(state: StateRecord) -> int | None:
    """How long it was due before its last run; None where its record does not tell.

    What is to run again has the due time of that. What ran before has none where an operator retried it, or its worker
    was lost.
    """
    if not state.started_ms or state.state in "wd" or (state.number > 1 and not state.due_ms):
        return None
    return max(0, state.started_ms - max(state.created_ms, state.due_ms))


def _result(state: StateRecord) -> Any:
    if state.state != "c":
        # What failed or was cancelled is listed under other things, which are kept in the same place.
        return None
    return result_of(state.result, is_cut="t" in state.flags)


def result_of(text: str, *, is_cut: bool) -> Any:
    """The result of its JSON text, or that text itself where it was cut."""
    if not text or is_cut:
        return text or None
    return json.loads(text)


def _progress(text: bytes) -> Progress | None:
    if not text:
        return None
    done, total = text.split()
    return Progress(float(done), float(total))


def _moment(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms / 1000, UTC)
