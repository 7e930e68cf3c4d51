"""A worker as the model of a queue sees it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Worker:
    """What a worker process knows."""

    name: str
    #: Queue and id → number of the run that it has, and whether it said that it started.
    runs: dict[tuple[str, str], tuple[int, bool]] = field(default_factory=dict)

    def of(self, queue: str) -> dict[str, tuple[int, bool]]:
        """Its runs of one queue."""
        return {local_id: run for (name, local_id), run in self.runs.items() if name == queue}
