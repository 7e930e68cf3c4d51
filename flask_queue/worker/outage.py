"""How long something does not work, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass

#: First and longest wait between two tries.
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.1, 1.0


@dataclass(slots=True)
class Outage:
    """Does not work since then; tried again at `retry_at_s`, later each time."""

    since_s: float
    retry_at_s: float = 0.0
    _backoff_s: float = 0.0

    def failed(self, now_s: float) -> None:
        """Note one more try, in vain or still under way."""
        self._backoff_s = min(MAX_BACKOFF_S, self._backoff_s * 2 or MIN_BACKOFF_S)
        self.retry_at_s = now_s + self._backoff_s
