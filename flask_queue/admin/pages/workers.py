"""The living worker processes, what they run, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...record import RunningJob, WorkerInfo
from ...versions import installed
from ..desk import Desk
from ..paging import sliced
from .advice import Advice

#: Processes on a page, and runs in the list of those.
PER_PAGE, MOST_RUNS = 50, 100
#: What an operator asked for → how a process that does it is called.
ASKED = {"quiet": "quiet", "restart": "restarting", "stop": "stopping"}


def context(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    workers, version = desk.monitor.workers(), installed("flask-queue")
    runs = sorted(
        ((worker, run) for worker in workers for run in worker.running),
        key=lambda pair: (not pair[1].overdue, pair[1].started_at, pair[1].id),
    )
    page = sliced(workers, args, PER_PAGE)
    return {
        "title": "Workers",
        "workers": page.items,
        "next_page": page.next_page,
        "is_first": page.is_first,
        "worker_count": len(workers),
        "host_count": len({worker.host for worker in workers}),
        "thread_count": sum(sum(worker.queues.values()) for worker in workers),
        "runs": runs[:MOST_RUNS],
        "run_count": len(runs),
        "version": version,
        "asked": ASKED,
        "warnings": list(_advise(desk, workers, [run for _, run in runs], version)) if workers else [],
    }


def change(desk: Desk, verb: str, worker_id: str) -> str:
    """Do it; what to tell the visitor."""
    if verb == "restart":
        asked = len(desk.operations.restart())
        return f"{_processes(asked)} will finish what runs and be replaced, one after the other under a supervisor."
    if verb == "quiet":
        desk.operations.quiet(worker_id)
        return f"{worker_id} claims nothing more within seconds; what it runs goes on."
    desk.operations.stop(worker_id)
    return f"{worker_id} will finish what it runs and end; nothing replaces it."


def _advise(desk: Desk, workers: Sequence[WorkerInfo], runs: Sequence[RunningJob], version: str) -> Iterator[Advice]:
    if overdue := sum(run.overdue for run in runs):
        what = "1 run is overdue: it is" if overdue == 1 else f"{overdue:,} runs are overdue: they are"
        message = f"{what} past the time-out, inside one long call that nothing can interrupt."
        yield Advice("error", message, "Stop the process to free the thread; the job then runs again in another.")
    served = {queue for worker in workers for queue in worker.queues}
    for queue in desk.config.queues:
        if queue not in served:
            remedy = f"Start one that does: flask queue work --queues {queue}"
            yield Advice("warning", f"No process takes jobs of {queue}.", remedy, "queue", queue)
    others = [worker for worker in workers if worker.version and version and worker.version != version]
    if others:
        message = f"{_processes(len(others))} of another version than this page ({version})."
        yield Advice("warning", message, "Restart them with the release that the web processes run.")


def _processes(count: int) -> str:
    return f"{count:,} process{'' if count == 1 else 'es'}"
