"""What a process does when it is asked to end, and when it is asked again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

#: A closed terminal, Ctrl-C, and what everything else sends.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
#: Signals so close together are one: `timeout` and others send it to the process and, at once, to its group.
SAME_SIGNAL_S = 0.1


def on_stop(first: Callable[[str], None], again: Callable[[str], None]) -> None:
    """Call `first` with the name of the first signal that asks this process to end, and `again` with later ones.

    Both are called between any two steps of the main thread: a lock that it may hold must not be waited for.
    """
    first_s: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        name, now_s = signal.Signals(number).name, time.monotonic()
        if not first_s:
            first_s.append(now_s)
            first(name)
        elif now_s - first_s[0] >= SAME_SIGNAL_S:
            again(name)

    for number in SIGNALS:
        # nohup has SIGHUP ignored, and that must stay.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
