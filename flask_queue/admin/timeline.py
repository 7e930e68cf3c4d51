"""What happened to a job, moment after moment, and how long it was between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter

from .. import times
from ..record import Attempt, AttemptOutcome, JobRecord, JobState

#: Runs that a page shows, the newest.
MOST_RUNS = 50
#: How a run's outcome is coloured: like the state that it led to.
COLOURS = {
    AttemptOutcome.COMPLETED: "completed",
    AttemptOutcome.RETRIED: "delayed",
    AttemptOutcome.FAILED: "failed",
    AttemptOutcome.RELEASED: "waiting",
    AttemptOutcome.CANCELLED: "cancelled",
    AttemptOutcome.LOST: "failed",
}
#: What the time after a run was spent on, until the next one.
_AFTER = {
    AttemptOutcome.COMPLETED: "until it ran again",
    AttemptOutcome.RETRIED: "backed off and waited",
    AttemptOutcome.FAILED: "until it was retried",
    AttemptOutcome.RELEASED: "given back for",
    AttemptOutcome.CANCELLED: "until it was retried",
    AttemptOutcome.LOST: "until it was taken back and ran again",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job, or is to happen."""

    title: str
    #: The name of a state.
    colour: str
    at: datetime
    #: When it was over; None for a moment, and for what goes on.
    until: datetime | None = None
    run: Attempt | None = None
    #: What else there is to say.
    note: str = ""
    #: What the time after it is spent on.
    then: str = "waited"
    #: How long after the event before it began, and what that time was; by default what the event before says.
    gap_ms: float | None = None
    gap: str = ""

    @property
    def length_ms(self) -> float | None:
        """How long it took; None for a moment, and for what goes on."""
        return None if self.until is None else _ms(self.until - self.at)


def shown_runs(record: JobRecord) -> Sequence[Attempt]:
    """The newest runs, oldest first."""
    return record.history[-MOST_RUNS:]


def timeline(record: JobRecord) -> list[Event]:
    """From its creation to its end, or to what is to come; of its runs the newest."""
    events = sorted(_events(record), key=attrgetter("at"))
    if record.created_at is not None:
        events = [Event("Created", "waiting", record.created_at), *events]
    joined = events[:1]
    for before, event in pairwise(events):
        gap_ms = _ms(event.at - (before.until or before.at))
        # A run is reckoned back from its end, and so may begin before its job; and a job ends with its last run.
        joined.append(replace(event, gap_ms=gap_ms, gap=event.gap or before.then) if gap_ms > 0 else event)
    return joined


def _events(record: JobRecord) -> Iterator[Event]:
    for run in shown_runs(record):
        title = f"Run {run.number} {'was lost with its worker' if run.outcome is AttemptOutcome.LOST else run.outcome}"
        colour, then = COLOURS[run.outcome], _AFTER[run.outcome]
        yield Event(title, colour, run.started_at, until=run.finished_at, run=run, then=then)
    if record.scheduled_at is not None and record.finished_at is None:
        gap = "backs off for" if record.history else "delayed for"
        yield Event("Due", "delayed", record.scheduled_at, gap=gap)
    if record.state is JobState.ACTIVE and record.started_at is not None:
        number = record.history[-1].number + 1 if record.history else 1
        yield Event(f"Run {number} started", "active", record.started_at)
    if record.finished_at is not None:
        yield Event(record.state.capitalize(), record.state.value, record.finished_at, note=_in_all(record))


def _in_all(record: JobRecord) -> str:
    if record.created_at is None or record.finished_at is None:
        return ""
    return f"{times.duration(round(_ms(record.finished_at - record.created_at)))} in all"


def _ms(span: timedelta) -> float:
    return span / timedelta(milliseconds=1)
