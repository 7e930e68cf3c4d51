"""Everything at a glance: numbers, warnings, charts, queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...record import MinuteMetrics, WorkerInfo
from ...store.survey import COUNTED, QueueSurvey, Survey
from .. import show
from ..charts import Series, chart
from ..desk import Desk
from .advice import advise

#: What a visitor may look back to: its name in the address, minutes, minutes a step.
RANGES = {"1h": (60, 1), "24h": (1440, 60), "7d": (10_080, 120)}


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
    span = args.get("range", "1h")
    span = span if span in RANGES else "1h"
    minutes, step = RANGES[span]
    survey = desk.monitor.survey(minutes=minutes, step_minutes=step)
    workers = desk.monitor.workers()
    totals = {state: sum(queue.counts[state] for queue in survey.queues) for state in COUNTED}
    oldest = max((queue.oldest_wait_ms or 0 for queue in survey.queues), default=0)
    return {
        "title": "Overview",
        "span": span,
        "ranges": list(RANGES),
        "totals": totals,
        "worker_count": len(workers),
        "thread_count": sum(sum(worker.queues.values()) for worker in workers),
        "oldest_wait_ms": oldest or None,
        "charts": _charts(survey, step),
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


def _charts(survey: Survey, step_minutes: int) -> list[dict[str, Any]]:
    steps = survey.metrics
    per = {1: "minute", 60: "hour"}.get(step_minutes, f"{step_minutes // 60} hours")
    completed = Series("completed", "fq-line-completed", [step.completed for step in steps])
    dispatched = Series("dispatched", "fq-line-dispatched", [step.dispatched for step in steps])
    failed = Series("failed", "fq-line-failed", [step.failed for step in steps])
    retried = Series("retried", "fq-line-delayed", [step.retried for step in steps])
    return [
        _chart("Throughput", f"jobs a {per}", steps, [completed, dispatched], show.short_number),
        _chart("Failures", f"jobs a {per}", steps, [failed, retried], show.short_number),
        _chart("Wait", "from due to start", steps, _percentiles(steps, "wait_ms", "waiting"), show.duration),
        _chart("Run time", "of a run", steps, _percentiles(steps, "runtime_ms", "active"), show.duration),
    ]


def _percentiles(steps: Sequence[MinuteMetrics], field: str, css: str) -> list[Series]:
    found = [getattr(step, field) for step in steps]
    return [
        Series("p95", f"fq-line-{css}", [None if each is None else each.p95 for each in found]),
        Series("p50", "fq-line-muted", [None if each is None else each.p50 for each in found]),
    ]


def _chart(
    title: str, unit: str, steps: Sequence[MinuteMetrics], series: Sequence[Series], told: Callable[[float], str]
) -> dict[str, Any]:
    moments = [step.at for step in steps]

    def texts(values: Sequence[float | None]) -> list[str]:
        return [show.NOTHING if value is None else told(value) for value in values]

    rows = list(zip(moments, zip(*(line.values for line in series), strict=True), strict=True))
    return {
        "title": title,
        "unit": unit,
        "svg": chart(f"{title}, {unit}", moments, series, told),
        "legend": [(line.name, line.css, *texts(line.values[-1:])) for line in series],
        "names": [line.name for line in series],
        # Newest first, as they are read; steps in which nothing was are left out.
        "table": [(at, texts(values)) for at, values in reversed(rows) if any(values)],
    }
