"""What Prometheus reads of an app's queues, in its text format. Needs no client library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from .monitor import Monitor
from .record import WorkerInfo
from .store.tallies import FACTOR
from .store.totals import Durations, QueueTotals
from .versions import installed

#: The text format's own type.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Every fourth of the store's buckets, each about twice the one before, from 2 ms to 11 hours. Below that `le` would
#: be untrue: runs are timed in whole milliseconds, and our buckets do not include their upper bound.
BUCKETS = range(4, 97, 4)

#: What comes after the family's name, labels, and the value.
Sample = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one metric."""

    name: str
    help: str
    samples: Sequence[Sample]
    type: Literal["gauge", "counter", "histogram"] = "gauge"


def exposition(monitor: Monitor) -> str:
    """All metrics as text. Redis: two round trips, however many queues there are."""
    queues, workers = monitor.totals(), monitor.workers()
    families = [*_of_app(workers), *_of_queues(queues), *_of_threads(queues, workers), *_counters(queues)]
    return "".join(line + "\n" for family in [*families, *_histograms(queues)] for line in _lines(family))


def _of_app(workers: Sequence[WorkerInfo]) -> Iterator[Family]:
    version = {"version": installed("flask-queue")}
    yield Family("info", "The release of flask-queue in the process that answers.", [("", version, 1)])
    yield Family("workers", "Living worker processes.", [("", {}, len(workers))])


def _of_queues(queues: Sequence[QueueTotals]) -> Iterator[Family]:
    counts = [("", {**_of(queue), "state": s}, float(n)) for queue in queues for s, n in queue.counts.items()]
    yield Family("jobs", "Jobs by state.", counts)
    waits = [("", _of(queue), (queue.oldest_wait_ms or 0) / 1000) for queue in queues]
    yield Family("oldest_wait_seconds", "How long the next job to run has been due; 0 where none is.", waits)
    paused = [("", _of(queue), float(queue.is_paused)) for queue in queues]
    yield Family("paused", "1 while workers take nothing from the queue.", paused)


def _of_threads(queues: Sequence[QueueTotals], workers: Sequence[WorkerInfo]) -> Iterator[Family]:
    runs = [run for worker in workers for run in worker.running]
    threads = [("", _of(queue), sum(worker.queues.get(queue.name, 0) for worker in workers)) for queue in queues]
    busy = [("", _of(queue), sum(run.queue == queue.name for run in runs)) for queue in queues]
    overdue = [("", _of(queue), sum(run.overdue and run.queue == queue.name for run in runs)) for queue in queues]
    yield Family("threads", "Threads of living workers.", threads)
    yield Family("busy_threads", "Threads of living workers that run a job.", busy)
    yield Family("overdue_runs", "Runs whose time-out is over, and that nothing could interrupt.", overdue)


def _counters(queues: Sequence[QueueTotals]) -> Iterator[Family]:
    for name, attribute, what in (
        ("jobs_dispatched", "dispatched", "Jobs that were stored."),
        ("jobs_completed", "completed", "Jobs that completed."),
        ("jobs_failed", "failed", "Jobs that failed for good."),
        ("runs_retried", "retried", "Runs that failed, and whose jobs run again."),
    ):
        samples = [("", _of(queue), float(getattr(queue, attribute))) for queue in queues]
        yield Family(f"{name}_total", what, samples, "counter")


def _histograms(queues: Sequence[QueueTotals]) -> Iterator[Family]:
    for name, what in (("runtime", "How long runs took"), ("wait", "How long jobs had been due when they started")):
        samples = [sample for queue in queues for sample in _histogram(_of(queue), getattr(queue, name))]
        yield Family(f"{name}_seconds", f"{what}, of runs that spent an attempt.", samples, "histogram")


def _histogram(labels: Mapping[str, str], durations: Durations) -> Iterator[Sample]:
    # A last one for what is longer.
    counts = [0] * (len(BUCKETS) + 1)
    for bucket, count in durations.buckets.items():
        counts[min(max(0, -(-bucket // BUCKETS.step) - 1), len(BUCKETS))] += count
    bounds = [f"{FACTOR**bucket / 1000:.6g}" for bucket in BUCKETS]
    for bound, count in zip([*bounds, "+Inf"], accumulate(counts), strict=True):
        yield "_bucket", {**labels, "le": bound}, count
    yield "_sum", labels, durations.sum_ms / 1000
    yield "_count", labels, sum(counts)


def _of(queue: QueueTotals) -> dict[str, str]:
    return {"queue": queue.name}


def _lines(family: Family) -> Iterator[str]:
    name = f"flask_queue_{family.name}"
    yield f"# HELP {name} {family.help}"
    yield f"# TYPE {name} {family.type}"
    for suffix, labels, value in family.samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{suffix}{{{told}}} {value:.15g}" if told else f"{name}{suffix} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
