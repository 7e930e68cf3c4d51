"""Interrupts from outside hit a handler or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from dramatiq.middleware import Interrupt

from flask_queue.worker.interrupts import Guard


class Poke(Interrupt):
    """What the tests raise in another thread."""


class Target(threading.Thread):
    """Opens and closes its window as fast as it can, and does bookkeeping in between that must not be interrupted."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.guard: Guard | None = None
        self.stopped = threading.Event()
        self.rounds = 0
        self.hits = 0
        self.escaped = 0

    def run(self) -> None:
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
        self.rounds += 1
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
    deadline = time.monotonic() + 3
    fired = 0
    while time.monotonic() < deadline:
        if target.guard is not None:
            fired += target.guard.interrupt(Poke)
    target.stopped.set()
    target.join(5)
    assert not target.is_alive()
    assert target.escaped == 0
    assert fired > 100
    assert 0 < target.hits <= fired
    assert target.rounds > 1000


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
