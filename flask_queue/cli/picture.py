"""What `flask queue status --watch` shows: lines of text that fit a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..broker import QueueBroker
from ..monitor import Monitor
from ..record import FailureGroup, JobState, MinuteMetrics, WorkerInfo
from ..store.survey import QueueSurvey, Survey
from ..times import duration, relative
from .text import one_line, table

#: What the table of `status` shows of a queue, in this order.
STATES = [state.value for state in JobState]
#: Columns that a narrow terminal does without, the first of them first.
DISPENSABLE = ("CANCELLED", "COMPLETED", "FAILED/MIN", "DELAYED", "THREADS", "DONE/MIN", "ACTIVE", "OLDEST WAIT")
#: Kinds of errors that are told of, where there is room.
MOST_FAILURES = 10
#: Minutes from which rates are made: the one before the current, and what there is of that.
RATE_MINUTES = 2


@dataclass(frozen=True, slots=True)
class Glance:
    """Everything that is shown, as it was at one moment."""

    at: datetime
    survey: Survey
    workers: Sequence[WorkerInfo]
    #: The largest group first.
    failures: Sequence[FailureGroup]

    @classmethod
    def of(cls, broker: QueueBroker) -> Glance:
        """Look. Redis: three round trips."""
        monitor = Monitor(broker)
        survey = monitor.survey(minutes=RATE_MINUTES)
        return cls(datetime.now(UTC), survey, monitor.workers(), monitor.failures())


def draw(glance: Glance, columns: int, lines: int) -> list[str]:
    """So many lines of so many characters at most: numbers, then what is wrong, then what jobs failed with."""
    queues = table_of_queues(glance, columns)
    warnings = [*paused_lines({queue.name: queue.pause_reason for queue in glance.survey.queues}), *_unserved(glance)]
    room = max(2, lines - 1 - min(len(warnings), lines // 3))
    if len(queues) > room:
        queues = [*queues[: room - 1], f"… and {len(queues) - room + 1} more queues"]
    drawn = [_summary(glance), *queues, *warnings]
    if (room := lines - len(drawn) - 2) > 0 and glance.failures:
        drawn += ["", *_failures(glance, min(room, MOST_FAILURES))]
    return [line[:columns] for line in drawn[:lines]]


def table_of_queues(glance: Glance, columns: int) -> list[str]:
    """A line for each queue under a head, without the columns for which there is no room."""
    cells = [_cells(queue, glance) for queue in glance.survey.queues]
    names = ["QUEUE", *map(str.upper, STATES), "OLDEST WAIT", "THREADS", "DONE/MIN", "FAILED/MIN"]
    droppable = list(DISPENSABLE)
    while True:
        lines = table(names, [[row[name] for name in names] for row in cells]).split("\n")
        if not droppable or max(map(len, lines)) <= columns:
            return lines
        names.remove(droppable.pop(0))


def paused_lines(reasons: Mapping[str, str | None]) -> list[str]:
    """A line for each queue that is paused; None as its reason: it is not."""
    return [
        one_line(f"{queue} is paused{f': {reason}' if reason else ''}")
        for queue, reason in reasons.items()
        if reason is not None
    ]


def _summary(glance: Glance) -> str:
    threads = sum(sum(worker.queues.values()) for worker in glance.workers)
    overdue = sum(run.overdue for worker in glance.workers for run in worker.running)
    done, failed = _per_minute(glance.survey.metrics, glance.at)
    parts = [
        f"{glance.at.astimezone():%H:%M:%S}  {len(glance.workers)} worker{'' if len(glance.workers) == 1 else 's'}",
        f"{sum(worker.busy for worker in glance.workers)} of {threads} threads busy",
        f"{done} done and {failed} failed a minute",
    ]
    return ", ".join([*parts, f"{overdue} overdue"] if overdue else parts)


def _cells(queue: QueueSurvey, glance: Glance) -> Mapping[str, str | int]:
    wait_ms = queue.oldest_wait_ms
    done, failed = _per_minute(queue.metrics, glance.at)
    return {
        "QUEUE": queue.name,
        **{state.upper(): queue.counts[state] for state in STATES},
        "OLDEST WAIT": "-" if wait_ms is None else duration(wait_ms),
        "THREADS": _threads(queue.name, glance.workers),
        "DONE/MIN": done,
        "FAILED/MIN": failed,
    }


def _per_minute(steps: Sequence[MinuteMetrics], now: datetime) -> tuple[int, int]:
    """How many jobs a minute were completed, and failed, since the first of these minutes began."""
    # Minutes are Redis's: where its clock is another, they are as long all the same.
    minutes = min(max((now - steps[0].at).total_seconds() / 60, len(steps) - 1), len(steps))
    done, failed = (sum(getattr(step, what) for step in steps) for what in ("completed", "failed"))
    return round(done / minutes), round(failed / minutes)


def _threads(queue: str, workers: Sequence[WorkerInfo]) -> int:
    return sum(worker.queues.get(queue, 0) for worker in workers)


def _unserved(glance: Glance) -> list[str]:
    return [
        f"{queue.name} has jobs to run and no worker: flask queue work"
        for queue in glance.survey.queues
        if queue.oldest_wait_ms is not None and not _threads(queue.name, glance.workers)
    ]


def _failures(glance: Glance, most: int) -> list[str]:
    """The kinds of errors that failed last come first: what is going wrong now, not what did last week."""
    latest = sorted(glance.failures, key=lambda group: group.last_at, reverse=True)[:most]
    rows: list[list[str | int]] = [
        [
            group.count,
            relative(group.last_at, glance.at),
            group.fingerprint,
            one_line(group.place),
            one_line(f"{group.type}: {group.message}"),
        ]
        for group in latest
    ]
    return table(["FAILED", "LAST", "GROUP", "PLACE", "ERROR"], rows).split("\n")
