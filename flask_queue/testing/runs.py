"""Runs in a test's own thread, without a worker."""

from __future__ import annotations

import logging
import threading
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context

from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.middleware import Interrupt, SkipMessage

from ..broker import QueueBroker
from ..delivery import Delivery
from ..worker.executor import Ended, Executor
from ..worker.interrupts import Guards

logger = logging.getLogger(__name__)

#: What a worker makes of these is all that follows from them. Others, as Ctrl-C, end the test, too.
_JOBS_OWN = (Exception, Interrupt, CancelledError, SystemExit)


class HeldDelivery(Delivery):
    """A delivery that keeps what was raised in its run."""

    raised: BaseException | None = None

    def stuff_exception(self, exception: BaseException) -> None:
        """Keep it."""
        super().stuff_exception(exception)
        if not isinstance(exception, SkipMessage):
            self.raised = exception

    @property
    def ends_the_test(self) -> bool:
        """Whether what was raised is none of the job's."""
        return self.raised is not None and not isinstance(self.raised, _JOBS_OWN)


def run(broker: QueueBroker, delivery: Delivery) -> Ended:
    """Run a job to its outcome, in an app context of its own, and no other context: as a worker would. No time-out."""
    # Its guards are watched by nobody. In an empty context the job sees neither a request nor the test's app context.
    executor = Executor(broker, Guards())
    with _event_loop():
        return Context().run(executor.run, delivery)


@contextmanager
def _event_loop() -> Iterator[None]:
    """An event loop for async handlers, as `middleware.EventLoop` has for those of a worker.

    Where the current one waits for this very thread, as a coroutine dispatched the job, it takes another.
    """
    current = get_event_loop_thread()
    if current is not None and current is not threading.current_thread():
        yield
        return
    thread = EventLoopThread(logger)
    thread.daemon = True
    thread.start(timeout=5.0)
    set_event_loop_thread(thread)
    try:
        yield
    finally:
        set_event_loop_thread(current)
        thread.loop.call_soon_threadsafe(thread.loop.stop)
        thread.join(5.0)
