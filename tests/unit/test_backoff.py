"""How long to wait before a retry."""

from __future__ import annotations

import random

import pytest

from flask_queue import Backoff


def test_the_last_value_of_a_list_repeats() -> None:
    """However many retries there are."""
    backoff = Backoff.fixed([1, 5.5, 60])
    assert [backoff.delay_s(retry) for retry in (1, 2, 3, 4, 1000)] == [1, 5.5, 60, 60, 60]


@pytest.mark.parametrize("retry", [1, 2, 5, 6, 7, 100, 10**9])
def test_exponential_waits_double_up_to_the_longest(retry: int) -> None:
    """Each is drawn from the upper half of its step: jobs that failed together do not come back together."""
    step_s = min(2 ** min(retry - 1, 40), 60)
    waits_s = [Backoff.exponential(1, 60).delay_s(retry) for _ in range(200)]
    assert all(step_s / 2 <= wait_s <= step_s for wait_s in waits_s)
    assert max(waits_s) - min(waits_s) > step_s / 10


def test_a_seed_repeats_the_jitter() -> None:
    """Of a generator that is given, and else of the one that all share."""
    backoff = Backoff.exponential(1, 60)

    def drawn(rng: random.Random | None) -> list[float]:
        return [backoff.delay_s(retry, rng) for retry in range(1, 9)]

    assert drawn(random.Random(7)) == drawn(random.Random(7)) != drawn(random.Random(8))
    random.seed(7)
    first = drawn(None)
    random.seed(7)
    assert drawn(None) == first == drawn(random.Random(7))
