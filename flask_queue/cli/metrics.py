"""The command that tells what happened lately."""

from __future__ import annotations

from dataclasses import asdict

import click

from ..record import MinuteMetrics, Percentiles
from .complete import queue_names
from .group import examples, queue_cli
from .reach import monitor
from .read import as_json_option
from .records import to_json
from .text import show, table

_HEAD = ["FROM (UTC)", "DISPATCHED", "COMPLETED", "FAILED", "RETRIED", "RUN MS p50/p95/p99", "WAIT MS p50/p95/p99"]


@queue_cli.command(epilog=examples("metrics", "metrics emails --minutes 1440 --step 60 --json"))
@click.argument("queue", required=False, shell_complete=queue_names)
@click.option("--minutes", default=60, show_default=True, help="How far to look back: a day, or a week in whole hours.")
@click.option("--step", "step_minutes", default=5, show_default=True, help="Minutes in a line.")
@as_json_option
def metrics(queue: str | None, minutes: int, step_minutes: int, as_json: bool) -> None:
    """Show what happened lately, step by step.

    On QUEUE, or on all queues together. The last line is not over yet.
    """
    try:
        found = monitor().metrics(queue, minutes=minutes, step_minutes=step_minutes)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    show(to_json([_as_data(step) for step in found]) if as_json else table(_HEAD, [_row(step) for step in found]))


def _as_data(step: MinuteMetrics) -> dict[str, object]:
    # A named tuple would be an array in JSON.
    times = {"runtime_ms": step.runtime_ms, "wait_ms": step.wait_ms}
    shares = {name: found and found._asdict() for name, found in times.items()}
    return {**asdict(step), "at": step.at.isoformat(), **shares}


def _row(step: MinuteMetrics) -> list[str | int]:
    counts = (step.dispatched, step.completed, step.failed, step.retried)
    return [f"{step.at:%Y-%m-%d %H:%M}", *counts, _shares(step.runtime_ms), _shares(step.wait_ms)]


def _shares(found: Percentiles | None) -> str:
    return "/".join(f"{value:.0f}" for value in found) if found else "-"
