"""What takes the place of the store while a test says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .broker import QueueBroker
    from .record import JobRecord
    from .store.records import RawJob
    from .store.transitions import NewEntry


class Substitute(Protocol):
    """Takes what is dispatched. Called by any thread."""

    def enqueue(self, broker: QueueBroker, queue: str, entries: Sequence[NewEntry]) -> tuple[int, dict[int, RawJob]]:
        """As `Store.enqueue`."""
        ...

    def stored(self, broker: QueueBroker, records: list[JobRecord]) -> list[JobRecord]:
        """Take note of what is stored now; returns the records for whoever dispatched."""
        ...

    def held(self, records: Sequence[JobRecord]) -> None:
        """Take note of what waits for a COMMIT, and may never be stored."""
        ...


class Substitutes:
    """Those that are in place; the last of them counts, in all threads."""

    def __init__(self) -> None:
        #: The one that counts.
        self.current: Substitute | None = None
        self._lock = threading.Lock()
        self._all: tuple[Substitute, ...] = ()

    @contextmanager
    def using(self, substitute: Substitute) -> Iterator[None]:
        """Let this one count inside the block."""
        with self._lock:
            self._set((*self._all, substitute))
        try:
            yield
        finally:
            with self._lock:
                self._set(tuple(each for each in self._all if each is not substitute))

    def _set(self, substitutes: tuple[Substitute, ...]) -> None:
        self._all = substitutes
        self.current = substitutes[-1] if substitutes else None


#: For tests that know no extension: these are in place for every app, unless its own extension has one.
EVERYWHERE = Substitutes()
