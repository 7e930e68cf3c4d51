"""The event loop of async handlers."""

from __future__ import annotations

from dramatiq import Broker, Worker
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.middleware import AsyncIO

#: For the loop to start, and at the end to leave what it is at.
_PATIENCE_S = 5.0
_LAST_WORDS_S = 0.5


class EventLoop(AsyncIO):
    """Dramatiq's AsyncIO, whose loop keeps no worker from its end.

    A handler that blocks the loop, as by a call that is not async, cannot be interrupted.
    """

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Start a loop in a thread of its own."""
        thread = EventLoopThread(self.logger)
        # The process must not wait for it either.
        thread.daemon = True
        thread.start(timeout=_PATIENCE_S)
        set_event_loop_thread(thread)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """End the loop, if it can be."""
        thread = get_event_loop_thread()
        if thread is not None:
            set_event_loop_thread(None)
            thread.loop.call_soon_threadsafe(thread.loop.stop)
            thread.join(_LAST_WORDS_S)
