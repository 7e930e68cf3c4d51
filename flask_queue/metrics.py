"""What Prometheus reads of an app's queues, in its text format. Needs no client library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .monitor import Monitor
from .record import MinuteMetrics, Percentiles, WorkerInfo
from .store.survey import QueueSurvey
from .versions import installed

#: The text format's own type.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: The minute that is not over yet, and the one before it.
MINUTES = 2
EVENTS = ("dispatched", "completed", "failed", "retried")
QUANTILES = (("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99"))

#: Labels with their values, and the value.
Sample = tuple[dict[str, str], float]


@dataclass(frozen=True, slots=True)
class Gauge:
    """One family of samples."""

    name: str
    help: str
    samples: Sequence[Sample]


def exposition(monitor: Monitor) -> str:
    """All gauges as text. Redis: two round trips."""
    queues, workers = monitor.survey(minutes=MINUTES).queues, monitor.workers()
    gauges = [*_of_app(workers), *_of_queues(queues), *_of_threads(queues, workers), *_of_minute(queues)]
    return "".join(line + "\n" for gauge in gauges for line in _lines(gauge))


def _of_app(workers: Sequence[WorkerInfo]) -> Iterator[Gauge]:
    version = {"version": installed("flask-queue")}
    yield Gauge("info", "The release of flask-queue in the web process.", [(version, 1)])
    yield Gauge("workers", "Living worker processes.", [({}, len(workers))])


def _of_queues(queues: Sequence[QueueSurvey]) -> Iterator[Gauge]:
    counts = [({**_of(queue), "state": s}, float(n)) for queue in queues for s, n in queue.counts.items()]
    yield Gauge("jobs", "Jobs by state.", counts)
    waits = [(_of(queue), (queue.oldest_wait_ms or 0) / 1000) for queue in queues]
    yield Gauge("oldest_wait_seconds", "How long the next job to run has been due; 0 where none is.", waits)
    paused = [(_of(queue), float(queue.pause_reason is not None)) for queue in queues]
    yield Gauge("paused", "1 while workers take nothing from the queue.", paused)


def _of_threads(queues: Sequence[QueueSurvey], workers: Sequence[WorkerInfo]) -> Iterator[Gauge]:
    runs = [run for worker in workers for run in worker.running]
    threads = [(_of(queue), sum(worker.queues.get(queue.name, 0) for worker in workers)) for queue in queues]
    busy = [(_of(queue), sum(run.queue == queue.name for run in runs)) for queue in queues]
    overdue = [(_of(queue), sum(run.overdue and run.queue == queue.name for run in runs)) for queue in queues]
    yield Gauge("threads", "Threads of living workers.", threads)
    yield Gauge("busy_threads", "Threads of living workers that run a job.", busy)
    yield Gauge("overdue_runs", "Runs whose time-out is over, and that nothing could interrupt.", overdue)


def _of_minute(queues: Sequence[QueueSurvey]) -> Iterator[Gauge]:
    """What happened in the last minute that is over."""
    minutes = [(queue, queue.metrics[0]) for queue in queues]
    events = [({**_of(queue), "event": e}, float(getattr(minute, e))) for queue, minute in minutes for e in EVENTS]
    yield Gauge("last_minute_jobs", "What happened to jobs in the last whole minute.", events)
    for name, what in (("runtime", "How long runs took"), ("wait", "How long jobs had been due when they started")):
        samples = [sample for queue, minute in minutes for sample in _quantiles(queue, minute, f"{name}_ms")]
        yield Gauge(f"last_minute_{name}_seconds", f"{what}, in the last whole minute.", samples)


def _quantiles(queue: QueueSurvey, minute: MinuteMetrics, field: str) -> Iterator[Sample]:
    found: Percentiles | None = getattr(minute, field)
    if found is not None:
        for quantile, name in QUANTILES:
            yield {**_of(queue), "quantile": quantile}, getattr(found, name) / 1000


def _of(queue: QueueSurvey) -> dict[str, str]:
    return {"queue": queue.name}


def _lines(gauge: Gauge) -> Iterable[str]:
    name = f"flask_queue_{gauge.name}"
    yield f"# HELP {name} {gauge.help}"
    yield f"# TYPE {name} gauge"
    for labels, value in gauge.samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{told}}} {value:.15g}" if told else f"{name} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
