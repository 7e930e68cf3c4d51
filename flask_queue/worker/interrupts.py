"""Exceptions raised in job threads from outside: time-outs, and the end of a shutdown."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dramatiq.middleware import Interrupt, TimeLimitExceeded

#: How often deadlines are looked at: a time-out is at most this late.
SCAN_S = 0.2


class Guard:
    """One thread's window in which it may be interrupted: while a handler runs, and never outside.

    CPython delivers such an exception at some later bytecode. Closing the window takes back one that is still under
    way, so that it cannot hit the bookkeeping after the run, where an outcome would be lost.
    """

    def __init__(self) -> None:
        self._thread_id = threading.get_ident()
        self._lock = threading.Lock()
        self._is_open = False
        self._raised: type[BaseException] | None = None
        self._deadline_s = float("inf")

    @contextmanager
    def window(self, timeout_s: float) -> Iterator[None]:
        """Allow interrupts inside; after `timeout_s` one comes by itself."""
        with self._lock:
            self._is_open, self._raised = True, None
            self._deadline_s = time.monotonic() + timeout_s
        try:
            yield
        finally:
            self._close()

    def interrupt(self, error: type[BaseException]) -> bool:
        """Raise in the thread, once, if it is inside its window; whether it was."""
        with self._lock:
            if not self._is_open or self._raised is not None:
                return False
            self._raised = error
            return _raise_in(self._thread_id, error)

    def check(self, now_s: float) -> None:
        """Interrupt the thread if its time is over."""
        if now_s >= self._deadline_s:
            self.interrupt(TimeLimitExceeded)

    def _close(self) -> None:
        with self._lock:
            self._is_open = False
            self._deadline_s = float("inf")
            if self._raised is not None:
                _raise_in(self._thread_id, None)


class Guards:
    """All guards of a process, and the thread that watches their deadlines."""

    def __init__(self) -> None:
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
            now_s = time.monotonic()
            for guard in list(self._guards.values()):
                guard.check(now_s)


def _raise_in(thread_id: int, error: type[BaseException] | None) -> bool:
    """Source: PyThreadState_SetAsyncExc in CPython's C API; None takes back what was not delivered yet."""
    exception = None if error is None else ctypes.py_object(error)
    hit: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), exception)
    return hit == 1
