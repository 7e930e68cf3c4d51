"""What tests of every kind share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout: float = 5.0, *, interval: float = 0.01, what: str = "") -> T:
    """Call `predicate` until it returns something true, and return that.

    The tests' only way to wait: it ends as soon as it can, and says what it waited for when it can't.

    Args:
        predicate: Called every `interval` seconds, at least once, and once more after the time is up.
        timeout: Seconds.
        interval: Seconds.
        what: Words for the message; the predicate's name otherwise.

    Raises:
        AssertionError: After `timeout`, with the last value that the predicate returned.
    """
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() >= deadline
        value = predicate()
        if value:
            return value
        if late:
            name = what or getattr(predicate, "__qualname__", repr(predicate))
            raise AssertionError(f"not within {timeout:g} s: {name} (last value: {value!r})")
        time.sleep(interval)
