"""The one way in which tests wait."""

from __future__ import annotations

import time

import pytest

from tests.support import wait_until


def test_waiting_ends_with_the_first_true_value() -> None:
    """What the predicate returned is handed on, so that a test can wait for a value and use it."""
    values = iter(["", None, "there", "too late"])
    assert wait_until(lambda: next(values), interval=0) == "there"


def test_waiting_in_vain_says_what_for() -> None:
    """The message names the predicate and the last value it gave."""
    with pytest.raises(AssertionError, match=r"not within 0\.02 s: two jobs are done \(last value: \[\]\)"):
        wait_until(list, timeout=0.02, what="two jobs are done")


def test_a_late_machine_gets_one_last_look() -> None:
    """A predicate that became true while the test slept counts, even if the time is up by then."""
    start = time.monotonic()
    assert wait_until(lambda: time.monotonic() - start > 0.05, timeout=0.01, interval=0.1)
