"""The threads of one queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from ..delivery import Delivery
from .executor import Crashed, Ended

#: Work that may wait in front of a thread, to hide the round trip that fetches more.
AHEAD_S = 0.010
#: Jobs a thread may have in front of it, however short they are.
AHEAD_PER_THREAD = 32
#: Below this a run time is noise.
MIN_RUNTIME_S = 1e-6
#: Runs after which jobs are taken ahead again by a pool that has met longer ones.
WARY_RUNS = 64
#: How much one more run counts in the average run time.
SMOOTHING = 0.01


class Pool:
    """Runs one queue's deliveries, never more at a time than it has threads.

    All methods but the threads' own loop belong to the pump's thread.

    Args:
        queue: its name.
        threads: how many jobs run at a time.
        run: what a thread does with a delivery.
        report: where it puts the end of a run, or of a thread that should not end.
        takes_ahead: whether jobs may wait in front of a thread.
    """

    def __init__(
        self,
        queue: str,
        threads: int,
        *,
        run: Callable[[Delivery], Ended],
        report: Callable[[Ended | Crashed], None],
        takes_ahead: bool = True,
    ) -> None:
        self.queue = queue
        self.threads = threads
        self._ahead_limit = threads * AHEAD_PER_THREAD if takes_ahead else 0
        self._run = run
        self._report = report
        self._inbox: SimpleQueue[Delivery | None] = SimpleQueue()
        #: Handed out and not reported back.
        self._outstanding = 0
        self._runtime_s = float("inf")
        #: So many runs must end before jobs are taken ahead again.
        self._wary_runs = 0
        self._workers = [
            threading.Thread(target=self._work, name=f"fq-{queue}-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        """Start the threads."""
        for worker in self._workers:
            worker.start()

    @property
    def idle(self) -> int:
        """Threads that have nothing to do."""
        return max(0, self.threads - self._outstanding)

    @property
    def is_empty(self) -> bool:
        """Nothing runs, and nothing is in a thread's hand."""
        return self._outstanding == 0

    @property
    def wanted(self) -> int:
        """Jobs it could take now: for idle threads, and a little ahead while its jobs are short.

        At a time half of what it may have, as far as no thread is idle: while Redis settles and hands out one half, the
        threads run the other. If all came at once, all would end at once, and Redis and threads wait for each other.
        """
        capacity = self.threads + self._ahead
        return max(0, min(capacity - self._outstanding, max(self.idle, capacity // 2)))

    @property
    def _ahead(self) -> int:
        """How many jobs may wait in front of the threads."""
        if self._wary_runs:
            return 0
        return min(self._ahead_limit, int(self.threads * AHEAD_S / max(self._runtime_s, MIN_RUNTIME_S)))

    def give(self, delivery: Delivery) -> None:
        """Hand a delivery to the threads."""
        self._outstanding += 1
        self._inbox.put(delivery)

    def take_back(self) -> list[Delivery]:
        """The deliveries that no thread has started, in order."""
        returned = []
        while True:
            try:
                delivery = self._inbox.get_nowait()
            except Empty:
                break
            if delivery is not None:
                returned.append(delivery)
        self._outstanding -= len(returned)
        return returned

    def ended(self, runtime_s: float) -> None:
        """Count a run that was reported."""
        self._outstanding -= 1
        self._wary_runs = max(0, self._wary_runs - 1)
        # From there on none is taken ahead: one job of an hour must not stand for the thousands after it.
        runtime_s = min(runtime_s, 2 * self.threads * AHEAD_S)
        is_first = self._runtime_s == float("inf")
        self._runtime_s = runtime_s if is_first else self._runtime_s + (runtime_s - self._runtime_s) * SMOOTHING

    def take_none_ahead(self) -> None:
        """Want jobs for idle threads alone, and look anew how long they take."""
        self._runtime_s = float("inf")
        self._wary_runs = WARY_RUNS

    def stop(self) -> None:
        """Let the threads end after what they run now. Take back what is left first."""
        for _ in self._workers:
            self._inbox.put(None)

    def join(self, until_s: float) -> bool:
        """Wait for the threads to end, until then on the monotonic clock; whether they did."""
        for worker in self._workers:
            worker.join(max(0.0, until_s - time.monotonic()))
        return not any(worker.is_alive() for worker in self._workers)

    def _work(self) -> None:
        try:
            while self._run_next():
                pass
        except BaseException as error:
            self._report(Crashed(error))

    def _run_next(self) -> bool:
        # A function of its own, so that a thread that waits keeps no payload alive.
        delivery = self._inbox.get()
        if delivery is None:
            return False
        delivery.started = True
        self._report(self._run(delivery))
        return True
