"""What Prometheus is told of times."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_queue.metrics import _histogram
from flask_queue.store.totals import Durations


def bucket_of(ms: int) -> int:
    """As includes/tally.lua has it."""
    return 0 if ms < 1 else 1 + math.floor(math.log(ms) / math.log(1.2))


@given(st.lists(st.integers(0, 90_000_000), max_size=20))
def test_buckets_count_exactly_what_their_bounds_say(times_ms: list[int]) -> None:
    """Of times in whole milliseconds, none is counted on the wrong side of a bound."""
    buckets: dict[int, int] = {}
    for ms in times_ms:
        buckets[bucket_of(ms)] = buckets.get(bucket_of(ms), 0) + 1
    samples = list(_histogram({"queue": "q"}, Durations(buckets, sum(times_ms))))
    for suffix, labels, value in samples:
        if suffix == "_bucket":
            assert value == sum(ms <= float(labels["le"]) * 1000 for ms in times_ms), labels
    assert samples[-2:] == [
        ("_sum", {"queue": "q"}, pytest.approx(sum(times_ms) / 1000)),
        ("_count", {"queue": "q"}, len(times_ms)),
    ]
