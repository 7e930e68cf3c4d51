"""Commands about worker processes: workers, quiet, stop, restart."""

from __future__ import annotations

import dataclasses

import click

from ..record import RunningJob, WorkerInfo
from ..times import relative
from .complete import worker_ids
from .group import examples, queue_cli
from .reach import monitor, operations
from .read import as_json_option
from .records import to_json
from .text import one_line, show, table

MIB = 1 << 20


@queue_cli.command(epilog=examples("workers"))
@as_json_option
def workers(as_json: bool) -> None:
    """List the living worker processes and what they run."""
    found = monitor().workers()
    if as_json:
        show(to_json([dataclasses.asdict(worker) for worker in found]))
        return
    if not found:
        show("No worker is alive.")
        return
    header = ("WORKER", "QUEUES", "BUSY", "MEMORY", "STARTED", "LAST BEAT")
    show(table(header, [_row(worker) for worker in found]))
    running = [(worker, run) for worker in found for run in worker.running]
    if running:
        show("")
        show(table(("RUNS", "NAME", "STARTED", "", "WORKER"), [_running_row(worker, run) for worker, run in running]))


@queue_cli.command(epilog=examples("quiet web1-4711-ab12cd"))
@click.argument("worker_id", metavar="WORKER", shell_complete=worker_ids)
@as_json_option
def quiet(worker_id: str, as_json: bool) -> None:
    """Let a worker process claim nothing more; what runs goes on."""
    operations().quiet(worker_id)
    show(to_json([worker_id]) if as_json else f"{one_line(worker_id)} will be quiet within seconds")


@queue_cli.command(epilog=examples("stop web1-4711-ab12cd"))
@click.argument("worker_id", metavar="WORKER", shell_complete=worker_ids)
@as_json_option
def stop(worker_id: str, as_json: bool) -> None:
    """Let a worker process end gracefully.

    Its supervisor does not replace it.
    """
    operations().stop(worker_id)
    show(to_json([worker_id]) if as_json else f"{one_line(worker_id)} will stop within seconds")


@queue_cli.command(epilog=examples("restart"))
@as_json_option
def restart(as_json: bool) -> None:
    """Let every worker finish and be replaced.

    Each process finishes what it runs. Its supervisor replaces it, or it starts anew by itself.
    """
    asked = operations().restart()
    if as_json:
        show(to_json(asked))
    else:
        show(f"{len(asked)} {'worker' if len(asked) == 1 else 'workers'} will finish and be replaced")


def _row(worker: WorkerInfo) -> tuple[str | int, ...]:
    return (
        one_line(worker.id),
        one_line(" ".join(f"{queue}:{threads}" for queue, threads in worker.queues.items())),
        worker.busy,
        f"{worker.rss_bytes / MIB:.0f} MB",
        relative(worker.started_at),
        relative(worker.last_beat_at),
    )


def _running_row(worker: WorkerInfo, run: RunningJob) -> tuple[str, ...]:
    return (
        one_line(run.id),
        one_line(run.name),
        relative(run.started_at),
        "overdue" if run.overdue else "",
        one_line(worker.id),
    )
