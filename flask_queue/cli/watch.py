"""`flask queue status --watch`: queues, workers and failures, drawn anew at each interval."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from ..broker import QueueBroker
from ..errors import QueueUnavailable
from .group import explain
from .picture import Glance, draw
from .reach import check, reachable_broker
from .screen import Picture, Shown, open_screen


def watch(interval_s: float) -> None:
    """Show the state of things until q or Ctrl-C. While Redis is away one line says so, and it is tried again."""
    try:
        with open_screen() as screen:
            _repeat(screen, interval_s)
    except KeyboardInterrupt:
        return


def _repeat(screen: Shown, interval_s: float) -> None:
    broker: QueueBroker | None = None
    while True:
        try:
            if broker is None:
                broker = reachable_broker()
            else:
                check(broker.store)
            screen.show(partial(draw, Glance.of(broker)), is_error=False)
        except QueueUnavailable as error:
            screen.show(_trouble(explain(error)), is_error=True)
        if screen.wait(interval_s):
            return


def _trouble(what: str) -> Picture:
    line = f"{datetime.now().astimezone():%H:%M:%S}  Trying again: {what}"
    return lambda columns, lines: [line[:columns]]
