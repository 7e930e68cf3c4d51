"""What happened to a job, and the time between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask_queue import Attempt, JobRecord, JobState
from flask_queue.admin.timeline import MOST_RUNS, timeline
from flask_queue.record import AttemptOutcome

START = datetime(2031, 5, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So long after the job was created."""
    return START + timedelta(seconds=seconds)


def run(number: int, outcome: str, started_s: float, ended_s: float) -> Attempt:
    """A run of it."""
    return Attempt(number, AttemptOutcome(outcome), at(started_s), at(ended_s), "w1")


def told(state: JobState, **fields: Any) -> list[str]:
    """The timeline as text."""
    record = JobRecord("default:a", "Report", "default", state, {}, created_at=START, **fields)
    lines = []
    for event in timeline(record):
        gap = "" if event.gap_ms is None else f"{event.gap} {event.gap_ms / 1000:g} s: "
        length = "" if event.length_ms is None else f", {event.length_ms / 1000:g} s"
        lines.append(f"{gap}{event.title}{length}{event.note and ', ' + event.note}")
    return lines


def test_a_job_that_failed_in_the_end() -> None:
    """Each run with how it ended, and what the time between was spent on."""
    history = (run(1, "retried", 2, 3), run(2, "lost", 13, 14), run(3, "released", 29, 30), run(4, "failed", 31, 35))
    assert told(JobState.FAILED, history=history, finished_at=at(35)) == [
        "Created",
        "waited 2 s: Run 1 retried, 1 s",
        "backed off and waited 10 s: Run 2 was lost with its worker, 1 s",
        "until it was taken back and ran again 15 s: Run 3 released, 1 s",
        "given back for 1 s: Run 4 failed, 4 s",
        "Failed, 35.0 s in all",
    ]


def test_a_job_that_runs_again() -> None:
    """After an operator's retry: the run has no end yet."""
    history = (run(1, "failed", 1, 2),)
    assert told(JobState.ACTIVE, history=history, started_at=at(60)) == [
        "Created",
        "waited 1 s: Run 1 failed, 1 s",
        "until it was retried 58 s: Run 2 started",
    ]


def test_a_job_that_is_to_run() -> None:
    """When it is due, delayed or after a failure."""
    assert told(JobState.DELAYED, scheduled_at=at(60)) == ["Created", "delayed for 60 s: Due"]
    history = (run(1, "retried", 1, 2),)
    assert told(JobState.DELAYED, history=history, scheduled_at=at(12))[-1] == "backs off for 10 s: Due"


def test_a_job_that_never_ran() -> None:
    """Cancelled while it waited."""
    assert told(JobState.CANCELLED, finished_at=at(5)) == ["Created", "waited 5 s: Cancelled, 5.0 s in all"]


def test_no_time_is_negative() -> None:
    """A run that is reckoned back from its end may begin before its job."""
    assert told(JobState.COMPLETED, history=(run(1, "completed", -1, 1),), finished_at=at(1)) == [
        "Created",
        "Run 1 completed, 2 s",
        "Completed, 1.0 s in all",
    ]


def test_only_the_newest_runs_are_told() -> None:
    """Of a job that runs again and again."""
    history = tuple(run(number, "released", number, number) for number in range(1, 200))
    lines = told(JobState.WAITING, history=history)
    assert len(lines) == MOST_RUNS + 1
    assert lines[-1] == "given back for 1 s: Run 199 released, 0 s"
