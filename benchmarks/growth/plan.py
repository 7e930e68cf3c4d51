"""How much is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of one run."""

    #: Jobs that are there while others are dispatched and run.
    sizes: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    queues: Sequence[int] = (1, 10, 100)
    #: Jobs of all queues together, in the run over queues.
    queued: int = 10_000
    #: Times that each cost is taken; medians are of them.
    rounds: int = 15
    #: Dispatched in a round one at a time, and at once.
    one_at_a_time: int = 192
    at_once: int = 256
    drains: int = 3
    #: Jobs of a drain, however many there are.
    drained: int = 5_000
    #: Twice as long as a worker is silent between two signs of life.
    idle_s: float = 10.0
    #: Requests of a page.
    requests: int = 15

    @property
    def worked(self) -> int:
        """Jobs that a round dispatches, claims and settles."""
        return self.one_at_a_time + self.at_once


QUICK = Plan(
    sizes=(1_000, 10_000), queues=(1, 10), queued=2_000, rounds=5, drains=1, drained=1_000, idle_s=2.0, requests=5
)
