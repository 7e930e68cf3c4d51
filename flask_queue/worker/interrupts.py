"""Exceptions raised in job threads from outside: time-outs, and the end of a shutdown."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dramatiq.middleware import Interrupt, TimeLimitExceeded

#: How often deadlines are looked at: a time-out is at most this late.
SCAN_S = 0.2
#: Turns of an empty loop; one is enough.
ABSORB_ROUNDS = 10


class Guard:
    """One thread's window in which it may be interrupted: while a handler runs, and never outside.

    CPython delivers such an exception at some later bytecode. Closing the window takes back one that is still under
    way, so that it cannot hit the bookkeeping after the run, where an outcome would be lost.
    """

    def __init__(self) -> None:
        self._thread_id = threading.get_ident()
        self._lock = threading.Lock()
        self._number = 0
        self._is_open = False
        self._is_masked = False
        #: The last that was raised in this window, or is to be.
        self._raised: type[BaseException] | None = None
        #: Came while it was masked.
        self._due: type[BaseException] | None = None
        self._deadline_s = float("inf")
        #: When a run that was asked to stop is stopped, and by what.
        self._stop_at_s = float("inf")
        self._stop: type[BaseException] = Interrupt

    @contextmanager
    def window(self, timeout_s: float) -> Iterator[int]:
        """Allow interrupts inside; after `timeout_s` one comes by itself. Yields the window's number."""
        number = self.open(timeout_s)
        try:
            yield number
        finally:
            self.close()

    def call(self, timeout_s: float, work: Callable[[], None]) -> None:
        """Call it inside a window of its own, which is closed after it in any case."""
        try:
            with self.window(timeout_s):
                work()
        except BaseException:
            # An interrupt that came while the window was about to be closed has left it open.
            self.close()
            raise

    @contextmanager
    def masked(self) -> Iterator[None]:
        """Keep interrupts away from a part of the handler; what came meanwhile is raised at its end.

        On another thread than the guard's it does nothing, as nothing is raised there.
        """
        if self._is_masked or threading.get_ident() != self._thread_id:
            yield
            return
        with self._lock:
            self._is_masked = True
        try:
            yield
        finally:
            with self._lock:
                self._is_masked = False
                due, self._due = self._due, None
            if due is not None:
                raise due

    def interrupt(self, error: type[BaseException]) -> bool:
        """Raise in the thread, the same kind once, if it is inside its window; whether it was."""
        with self._lock:
            return self._interrupt(error)

    def check(self, now_s: float) -> None:
        """Interrupt the thread if its time is over."""
        # All under the lock: between the look and the deed the thread may have begun another run.
        with self._lock:
            if now_s >= self._deadline_s:
                self._deadline_s = float("inf")
                self._interrupt(TimeLimitExceeded)
            if now_s >= self._stop_at_s:
                self._stop_at_s = float("inf")
                self._interrupt(self._stop)

    def interrupt_after(self, grace_s: float, error: type[BaseException], window: int) -> None:
        """Interrupt the run inside the window of this number, if it is still open, once it has gone on for so long."""
        with self._lock:
            if self._is_open and self._number == window:
                self._stop, self._stop_at_s = error, time.monotonic() + grace_s

    def open(self, timeout_s: float) -> int:
        """Begin a window, which `close` must end in any case; as `window`, but quicker."""
        with self._lock:
            self._number += 1
            self._is_open, self._is_masked, self._raised, self._due = True, False, None, None
            self._deadline_s = time.monotonic() + timeout_s
            return self._number

    def close(self) -> None:
        """End the window. Harmless where that is done."""
        with self._lock:
            self._is_open = self._is_masked = False
            self._deadline_s = self._stop_at_s = float("inf")
            may_be_under_way = self._raised is not None
        if may_be_under_way:
            _absorb()

    def _interrupt(self, error: type[BaseException]) -> bool:
        if not self._is_open or self._raised is error:
            return False
        self._raised = error
        if self._is_masked:
            self._due = error
            return True
        return _raise_in(self._thread_id, error)


class Guards:
    """All guards of a process, and the thread that watches their deadlines.

    Args:
        tick: called with each look, as a sign that the interpreter runs.
    """

    def __init__(self, tick: Callable[[], None] = lambda: None) -> None:
        self._tick = tick
        self._guards: dict[int, Guard] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fq-deadlines", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        self._thread.join()

    def current(self) -> Guard:
        """The guard of this thread."""
        thread_id = threading.get_ident()
        guard = self._guards.get(thread_id)
        if guard is None:
            guard = self._guards[thread_id] = Guard()
        return guard

    def interrupt_all(self, error: type[Interrupt]) -> None:
        """Interrupt every handler that runs now."""
        for guard in list(self._guards.values()):
            guard.interrupt(error)

    def _watch(self) -> None:
        while not self._stopped.wait(SCAN_S):
            self._tick()
            now_s = time.monotonic()
            for guard in list(self._guards.values()):
                guard.check(now_s)


def _raise_in(thread_id: int, error: type[BaseException]) -> bool:
    """Source: PyThreadState_SetAsyncExc in CPython's C API."""
    hit: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))
    return hit == 1


def _absorb() -> None:
    """Let an interrupt that was raised in this thread and not delivered yet arrive here, where it does no harm.

    It is delivered at the next jump back of a loop. CPython can also take one back (a null exception), but then leaves
    its flag set: every thread looks for pending work at each bytecode from then on, which quarters the speed, and on
    3.11 under a tracer such as coverage's they all hang.
    """
    try:
        for _ in range(ABSORB_ROUNDS):
            pass
    except Interrupt:
        return
