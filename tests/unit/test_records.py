"""What the public record tells of the packed one."""

from __future__ import annotations

import pytest

from flask_queue.store.records import RawJob
from flask_queue.store.state import StateRecord

CREATED, DUE, STARTED = 1_000_000, 1_060_000, 1_064_000


@pytest.mark.parametrize(
    ("state", "number", "due_ms", "started_ms", "wait_ms"),
    [
        ("c", 1, 0, STARTED, 64_000),  # dispatched to run at once
        ("c", 1, DUE, STARTED, 4_000),  # delayed
        ("f", 3, DUE, STARTED, 4_000),  # its last run was due after a back-off
        ("a", 2, DUE, STARTED, 4_000),
        ("d", 2, DUE, CREATED, None),  # backs off: it is due for the next run
        ("w", 2, DUE, CREATED, None),  # its back-off is over, and it has not run again yet
        ("c", 4, 0, STARTED, None),  # an operator retried it, or its worker was lost
        ("w", 0, 0, 0, None),
    ],
)
def test_the_wait_is_that_before_the_last_run(
    state: str, number: int, due_ms: int, started_ms: int, wait_ms: int | None
) -> None:
    """And none where the record does not tell."""
    packed = StateRecord(state, "-", "-", 1, number, 0, 0, CREATED, due_ms, started_ms, 0, 0, "-", "")
    assert RawJob("q", "a", packed, b"Name\n{}", b"", b"").record(3).wait_ms == wait_ms
