"""Interrupts from outside hit a handler or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from dramatiq.middleware import Interrupt, TimeLimitExceeded

from flask_queue.worker.interrupts import Guard
from tests.support import wait_until


class Poke(Interrupt):
    """What the tests raise in another thread."""


class Target(threading.Thread):
    """Opens and closes its window as fast as it can, and does bookkeeping in between that must not be interrupted."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.guard: Guard | None = None
        self.stopped = threading.Event()
        self.fired = 0
        self.hits = 0
        self.escaped = 0

    def run(self) -> None:
        # A tracer's own bookkeeping, such as coverage's, does not survive an interrupt: it would keep its lock.
        sys.settrace(None)
        self.guard = Guard()
        while not self.stopped.is_set():
            try:
                self._round(self.guard)
            except Poke:
                self.escaped += 1

    def _round(self, guard: Guard) -> None:
        try:
            with guard.window(60):
                sum(range(20))
        except Poke:
            self.hits += 1
        sum(range(200))


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads take turns as often as they can, so that every place in the code is a place to be interrupted at."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless")
def test_no_interrupt_gets_out_of_the_window() -> None:
    """However an interrupt and the end of a handler race, the bookkeeping after it is never hit."""
    target = Target()
    target.start()

    def poked() -> bool:
        if target.guard is not None:
            target.fired += target.guard.interrupt(Poke)
        return target.fired > 1000

    wait_until(poked, 30, interval=0)
    target.stopped.set()
    target.join(5)
    assert not target.is_alive()
    assert target.escaped == 0
    assert 0 < target.hits <= target.fired


def test_a_time_out_hits_no_later_run() -> None:
    """A run that ends while its time-out is under way is over; the next one on its thread has time of its own."""
    guard = Guard()
    lock = guard._lock

    class NextRun:
        """Lets the thread end its run and begin another before anybody gets the lock."""

        def __enter__(self) -> None:
            guard._lock = lock
            guard.close()
            guard.open(60)
            lock.acquire()

        def __exit__(self, *error: object) -> None:
            lock.release()

    with guard.window(0):
        guard._lock = NextRun()  # type: ignore[assignment]
        guard.check(time.monotonic() + 1)
        for _ in range(100):
            pass
    assert guard.interrupt(Poke) is False


def test_a_handler_that_swallowed_its_time_out_is_interrupted_at_the_end_of_a_shutdown() -> None:
    """Another kind of interrupt comes through; the same one does not come again."""
    guard = Guard()
    caught = []
    with guard.window(60):
        for kind in (TimeLimitExceeded, TimeLimitExceeded, Poke, Poke):
            try:
                guard.interrupt(kind)
                for _ in range(100):
                    pass
            except Interrupt as error:
                caught.append(type(error))
    assert caught == [TimeLimitExceeded, Poke]


def test_an_overdue_handler_is_interrupted_once() -> None:
    """A deadline that has passed raises once, and only inside the window."""
    guard = Guard()
    guard.check(float("inf"))
    caught = 0
    with guard.window(0):
        try:
            guard.check(time.monotonic() + 1)
            guard.check(time.monotonic() + 1)
            for _ in range(100):
                pass
        except Interrupt:
            caught += 1
    assert caught == 1


def test_a_masked_part_is_interrupted_at_its_end() -> None:
    """What must not be cut in two is done first; then the interrupt that came meanwhile is raised, once."""
    guard = Guard()
    done = []
    with guard.window(60):
        try:
            with guard.masked(), guard.masked():
                assert guard.interrupt(Poke)
                assert not guard.interrupt(Poke)
                for _ in range(100):
                    pass
                done.append("masked")
            done.append("not reached")
        except Poke:
            done.append("poked")
        with guard.masked():
            done.append("again")
    assert done == ["masked", "poked", "again"]


def poke(guard: Guard) -> None:
    """Interrupt this thread, and give that time to arrive."""
    guard.interrupt(Poke)
    for _ in range(100):
        pass


def test_a_mask_on_another_thread_holds_nothing_up() -> None:
    """The event loop runs library calls of an async handler; what is raised in the waiting thread is raised at once."""
    guard = Guard()
    masked, go_on = threading.Event(), threading.Event()

    def loop() -> None:
        with guard.masked():
            masked.set()
            go_on.wait(5)

    thread = threading.Thread(target=loop)
    with guard.window(60):
        thread.start()
        assert masked.wait(5)
        with pytest.raises(Poke):
            poke(guard)
    go_on.set()
    thread.join(5)
