"""Everything at a glance: numbers, warnings, charts, queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...record import WorkerInfo
from ...store.survey import COUNTED, QueueSurvey, Survey
from ..desk import Desk
from . import trends
from .advice import advise


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One queue in the table."""

    queue: QueueSurvey
    threads: int
    #: Jobs that ended in the hour, or the time that is shown.
    ended: int
    trend: Sequence[int]


def context(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    span = trends.chosen(args)
    survey = desk.monitor.survey(minutes=span.minutes, step_minutes=span.step_minutes)
    workers = desk.monitor.workers()
    totals = {state: sum(queue.counts[state] for queue in survey.queues) for state in COUNTED}
    oldest = max((queue.oldest_wait_ms or 0 for queue in survey.queues), default=0)
    return {
        "title": "Overview",
        "span": span.name,
        "ranges": list(trends.RANGES),
        "totals": totals,
        "worker_count": len(workers),
        "thread_count": sum(sum(worker.queues.values()) for worker in workers),
        "oldest_wait_ms": oldest or None,
        "charts": trends.charts(survey.metrics, span),
        "queues": rows(survey, workers),
        "warnings": advise(desk, survey, workers),
    }


def rows(survey: Survey, workers: Sequence[WorkerInfo]) -> list[QueueRow]:
    """A row for each queue."""
    return [
        QueueRow(
            queue,
            threads=sum(worker.queues.get(queue.name, 0) for worker in workers),
            ended=sum(step.completed + step.failed for step in queue.metrics),
            trend=[step.completed + step.failed for step in queue.metrics],
        )
        for queue in survey.queues
    ]
