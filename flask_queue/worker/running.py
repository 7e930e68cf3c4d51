"""The runs of a worker that have started, as its threads tell."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from ..delivery import Delivery
from ..outcome import GivenBack
from ..store.roster import OVERDUE_AFTER_MS
from .executor import Ended
from .heart import Pulse

#: A run is interrupted some moments after its time-out, and may need some more to end.
OVERDUE_AFTER_S = OVERDUE_AFTER_MS / 1000

#: A pump that hangs must not keep the threads.
CLOSE_S = 5.0


class Run(NamedTuple):
    """A run that has started, on the monotonic clock, and how long it may take."""

    delivery: Delivery
    started_s: float
    timeout_s: float

    @property
    def is_overdue(self) -> bool:
        """Whether its time-out is over, and nothing has been able to interrupt it."""
        return time.monotonic() > self.started_s + self.timeout_s + OVERDUE_AFTER_S


class Running:
    """Stands between the pools and what runs a job, and knows what runs. Safe to use from all threads.

    Args:
        run: what a thread does with a delivery.
        timeout_of: seconds that a delivery's run may take.
        pulse: learns the longest of them, before the job can keep the interpreter for itself.
        limit: how many may start; those beyond go back to their queues unspent.
        on_limit: called once that many have started; it sees to it that `close` is called.
    """

    def __init__(
        self,
        run: Callable[[Delivery], Ended],
        timeout_of: Callable[[Delivery], float],
        pulse: Pulse,
        limit: int | None = None,
        on_limit: Callable[[], None] = lambda: None,
    ) -> None:
        self._run = run
        self._timeout_of = timeout_of
        self._pulse = pulse
        self._limit = limit
        self._on_limit = on_limit
        #: Not for what each run does: once a thread waits for the interpreter with a lock that all others want, each of
        #: them waits for it after every run, for good.
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._runs: dict[int, Run] = {}
        self._longest_s = 0.0
        self._closed = threading.Event()
        #: How many have started; without a limit, a moment ago.
        self.count = 0

    def run(self, delivery: Delivery) -> Ended:
        """Run a delivery, and be able to tell that it runs."""
        run = Run(delivery, time.monotonic(), self._timeout_of(delivery))
        if self._limit is None:
            self.count = next(self._numbers)
        elif not self._may_start():
            # After the jobs behind it, it goes back in front of them.
            self._closed.wait(CLOSE_S)
            return Ended(delivery, GivenBack(), 0, 0.0)
        try:
            self._runs[id(delivery)] = run
            if run.timeout_s > self._longest_s:
                self._expect_too(run)
            return self._run(delivery)
        finally:
            del self._runs[id(delivery)]

    def close(self) -> None:
        """Note that nothing more is claimed, and what nobody has begun was given back."""
        self._closed.set()

    def look(self) -> list[Run]:
        """What runs now, the oldest first. Lets the pulse expect no more than that."""
        with self._lock:
            # First: who begins from here on compares with this, and waits for the lock.
            self._longest_s = 0.0
            runs = list(self._runs.values())
            self._expect(max((run.timeout_s for run in runs), default=0.0))
        return runs

    def _may_start(self) -> bool:
        with self._lock:
            if self.count == self._limit:
                return False
            self.count += 1
            if self.count == self._limit:
                self._on_limit()
            return True

    def _expect_too(self, run: Run) -> None:
        with self._lock:
            self._expect(max(self._longest_s, run.timeout_s))

    def _expect(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._pulse.expect(longest_s)
