"""`flask queue status --watch`: queues and workers, drawn anew at each interval."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from ..broker import QueueBroker
from ..errors import QueueUnavailable
from ..monitor import Monitor
from ..record import JobState
from ..times import duration
from .group import explain
from .reach import check, reachable_broker
from .text import one_line, show, table

#: What the table of `status` shows of a queue, in this order.
STATES = [state.value for state in JobState]


def watch(interval_s: float) -> None:
    """Show the state of things until Ctrl-C. While Redis is away one line says so, and it is tried again."""
    draw = _Screen().draw if sys.stdout.isatty() else _Log().draw
    try:
        _repeat(draw, interval_s)
    except KeyboardInterrupt:
        return


def paused_lines(monitor: Monitor) -> list[str]:
    """A line for each queue that is paused."""
    return [
        one_line(f"{queue} is paused{f': {reason}' if reason else ''}") for queue, reason in monitor.paused().items()
    ]


class _Screen:
    """A terminal, on which each picture takes the place of the one before."""

    def __init__(self) -> None:
        self._height = 0

    def draw(self, lines: list[str], *, is_error: bool) -> None:
        """Draw; what the terminal has no room for is cut, as it would scroll away from its place."""
        size = shutil.get_terminal_size()
        shown = [line[: size.columns - 1] for line in lines[: size.lines - 1]]
        # Up to where the picture before begins, and clear from there.
        back = f"\x1b[{self._height}F\x1b[J" if self._height else ""
        show(back + "\n".join(shown))
        self._height = len(shown)


class _Log:
    """A file or a pipe, to which each picture is added; that Redis is away is told once, until it is back."""

    def __init__(self) -> None:
        self._was_error = False

    def draw(self, lines: list[str], *, is_error: bool) -> None:
        """Print, unless it is an error once more."""
        if not (is_error and self._was_error):
            show("\n".join([*lines, ""]))
            sys.stdout.flush()
        self._was_error = is_error


def _repeat(draw: Callable[..., None], interval_s: float) -> None:
    broker: QueueBroker | None = None
    while True:
        try:
            if broker is None:
                broker = reachable_broker()
            else:
                check(broker.store)
            draw(_picture(broker), is_error=False)
        except QueueUnavailable as error:
            draw([f"{_now()}  Trying again: {explain(error)}"], is_error=True)
        time.sleep(interval_s)


def _picture(broker: QueueBroker) -> list[str]:
    monitor = Monitor(broker)
    workers = monitor.workers()
    threads: dict[str, int] = {}
    for worker in workers:
        for queue, count in worker.queues.items():
            threads[queue] = threads.get(queue, 0) + count
    rows: list[list[str | int]] = []
    for queue, states in monitor.counts().items():
        wait_ms = monitor.oldest_wait_ms(queue)
        counts = [states[state] for state in STATES]
        rows.append([queue, *counts, "-" if wait_ms is None else duration(wait_ms), threads.get(queue, 0)])
    busy = sum(worker.busy for worker in workers)
    summary = f"{_now()}  {len(workers)} worker{'' if len(workers) == 1 else 's'}, {busy} busy threads"
    header = ["QUEUE", *map(str.upper, STATES), "OLDEST WAIT", "THREADS"]
    return [summary, *table(header, rows).split("\n"), *paused_lines(monitor)]


def _now() -> str:
    return f"{datetime.now(UTC).astimezone():%H:%M:%S}"
