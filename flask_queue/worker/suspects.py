"""Jobs that lost several workers: each runs alone in its process, so that it can take no other with it."""

from __future__ import annotations

import time
from collections.abc import Collection

from .lane import NEVER_S, Lane

#: How long a process claims nothing while a suspect waits for what runs to end, before it puts the suspect off.
PATIENCE_S = 1.0
#: It is put off for so many times the wait: other jobs wait for suspects a small part of the time at most.
PUT_OFF_TIMES = 5


class Suspects:
    """When a suspect begins, or is put off. Belongs to the pump's thread.

    A process that runs long jobs puts a suspect off; each time it then waits twice as long, so that its turn comes.
    """

    def __init__(self, lanes: Collection[Lane]) -> None:
        self._lanes = lanes
        self._patience_s = PATIENCE_S
        self._put_off_at_s = NEVER_S

    @property
    def look_at_s(self) -> float:
        """When to attend to them although nothing happened, on the monotonic clock."""
        return self._put_off_at_s

    @property
    def keep_others_out(self) -> bool:
        """One runs alone, or waits for that: nothing else may start in this process."""
        return any(lane.has_suspects for lane in self._lanes)

    def attend(self) -> None:
        """Begin with one if all is quiet; put all off if that takes too long."""
        if not any(lane.has_waiting_suspects for lane in self._lanes) or any(lane.is_alone for lane in self._lanes):
            self._put_off_at_s = NEVER_S
        elif all(lane.is_quiet for lane in self._lanes):
            self._put_off_at_s, self._patience_s = NEVER_S, PATIENCE_S
            any(lane.begin_alone() for lane in self._lanes)
        elif self._put_off_at_s == NEVER_S:
            self._put_off_at_s = time.monotonic() + self._patience_s
        elif time.monotonic() >= self._put_off_at_s:
            self._put_off()

    def _put_off(self) -> None:
        for lane in self._lanes:
            lane.put_off_suspects(round(1000 * PUT_OFF_TIMES * self._patience_s))
        self._put_off_at_s = NEVER_S
        self._patience_s *= 2
