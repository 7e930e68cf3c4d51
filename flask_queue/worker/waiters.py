"""Waits in a cluster, where one wait cannot be for several queues: each has a connection and a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..store.own_connection import Client
from .waiter import Waiter, Woken


class Waiters:
    """As one waiter, for the pump.

    Args:
        make: makes what waits for one queue.
    """

    def __init__(self, make: Callable[[], Waiter]) -> None:
        self._make = make
        self._waiters: dict[str, Waiter] = {}

    def start(self) -> None:
        """Each thread starts when its queue is first waited for."""

    def stop(self) -> None:
        """End all threads once they return from their blocks."""
        for waiter in self._waiters.values():
            waiter.stop()

    def leave(self, client: Client) -> None:
        """End waits and threads now."""
        for waiter in self._waiters.values():
            waiter.leave(client)

    def listen(self, queues: Iterable[str], client: Client) -> None:
        """Wait for markers of these queues."""
        for queue in queues:
            if queue not in self._waiters:
                self._waiters[queue] = self._make()
                self._waiters[queue].start()
            self._waiters[queue].listen([queue], client)

    def heard(self, woken: Woken) -> None:
        """Note that a `Woken` has arrived."""
        for queue in woken.waited:
            self._waiters[queue].heard(woken)
