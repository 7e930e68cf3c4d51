"""Sends the signals of runs that were settled, on a thread of its own: the pump must not wait for what receivers do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue

from blinker import NamedSignal

from ..broker import QueueBroker
from ..delivery import Delivery
from ..outcome import Cancelled, Completed, Failed, Outcome, Retried
from ..record import JobRecord, JobState
from ..signals import job_cancelled, job_completed, job_failed, job_retried
from ..store.records import RawJob
from ..store.transitions import CycleReply, Settlement
from .told import ended_record, lost_record

logger = logging.getLogger("flask_queue.worker")

#: Signals that may wait to be sent; beyond that the worker claims nothing, until receivers have caught up.
MOST = 1000

#: Of each outcome that anybody is told of.
SIGNALS: Mapping[type[Outcome], NamedSignal] = {
    Completed: job_completed,
    Retried: job_retried,
    Failed: job_failed,
    Cancelled: job_cancelled,
}


class Announcer:
    """Belongs to the pump's thread, which starts the other one with the first signal that somebody listens to.

    Args:
        broker: whose app sends.
        on_caught_up: called, on the announcer's own thread, once it is not behind any more.
    """

    def __init__(self, broker: QueueBroker, on_caught_up: Callable[[], None]) -> None:
        self._broker = broker
        self._on_caught_up = on_caught_up
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def is_behind(self) -> bool:
        """Whether so many signals wait that nothing more should be claimed."""
        return self._inbox.qsize() > MOST

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens to any of its signals."""
        return any(signal.receivers for signal in SIGNALS.values())

    def settled(self, delivery: Delivery, settlement: Settlement, reply: CycleReply) -> None:
        """Tell of a run that was settled, unless that came too late: then it was others who ended the job."""
        outcome = Cancelled() if settlement.local_id in reply.overruled else settlement.outcome
        signal = SIGNALS.get(type(outcome))
        if signal is None or not signal.receivers or (settlement.local_id, settlement.number) in reply.late_runs:
            return
        runtime_ms = settlement.runtime_ms
        self._send(signal, partial(ended_record, delivery, outcome, runtime_ms=runtime_ms, now_ms=reply.now_ms))

    def lost(self, jobs: Sequence[RawJob]) -> None:
        """Tell of jobs that ended with the worker that had them."""
        for job in jobs:
            signal = job_failed if job.state.job_state is JobState.FAILED else job_cancelled
            if signal.receivers:
                self._send(signal, partial(lost_record, job, self._broker))

    def close(self, until_s: float) -> None:
        """Send what is left, until then on the monotonic clock."""
        if self._thread is None:
            return
        self._inbox.put(None)
        self._thread.join(max(0.0, until_s - time.monotonic()))
        if self._thread.is_alive():
            logger.warning("About %d signals were not sent: their receivers took too long.", self._inbox.qsize())

    def _send(self, signal: NamedSignal, make_record: Callable[[], JobRecord]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="fq-signals", daemon=True)
            self._thread.start()
        self._inbox.put(lambda: self._broker.tell(signal, record=make_record()))

    def _work(self) -> None:
        while (send := self._inbox.get()) is not None:
            try:
                send()
            except Exception:
                # A fault of ours, which must not end this thread.
                logger.exception("A signal could not be sent.")
            if self._inbox.qsize() == MOST:
                # Only this thread makes it shorter: it was longer a moment ago.
                self._on_caught_up()
