"""Looks at the queues: whether somebody serves them, and whether this app knows them."""

from __future__ import annotations

from collections.abc import Iterator

from ..broker import QueueBroker
from ..monitor import Monitor
from ..store.queries import Queries
from ..store.repairs import Names
from .finding import Finding, Level


def look_at_workers(broker: QueueBroker) -> Iterator[Finding]:
    """Whether each queue has a living worker."""
    monitor = Monitor(broker)
    served = {queue for worker in monitor.workers() for queue in worker.queues}
    counts, paused = monitor.counts(), monitor.paused()
    for queue in broker.queues:
        ready = counts[queue]["waiting"] + counts[queue]["active"]
        if queue in served:
            note = " (paused)" if queue in paused else ""
            yield Finding("workers", Level.OK, f"queue '{queue}' has workers{note}")
        elif ready:
            message = f"queue '{queue}' has {_jobs(ready)} to run and no worker"
            yield Finding("workers", Level.ERROR, message, "Start one: flask queue work.")
        else:
            yield Finding("workers", Level.WARNING, f"queue '{queue}' has no worker", "Start one: flask queue work.")


def look_at_unknown(broker: QueueBroker, names: Names) -> Iterator[Finding]:
    """Queues that hold jobs, and that this app does not have: another app may, so nothing is done about them."""
    unknown = [queue for queue, kinds in names.items() if "state" in kinds and queue not in broker.queues]
    counts = Queries(broker.store, unknown, broker.max_retries_of).counts() if unknown else {}
    for queue, states in counts.items():
        message = f"queue '{queue}' has {_jobs(sum(states.values()))} but is not configured in this app"
        remedy = "If it was renamed or removed, configure it until its jobs are done; if it is another app's, leave it."
        yield Finding("unknown queue", Level.WARNING, message, remedy)


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"
