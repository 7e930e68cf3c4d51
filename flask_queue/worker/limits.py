"""When a worker process has done its share, and a fresh one should take over."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one process does; None for no limit.

    Args:
        jobs: runs that it starts.
        time_s: seconds that it lives.
        memory_mb: MiB that it takes.
    """

    jobs: int | None = None
    time_s: float | None = None
    memory_mb: int | None = None

    def reached(self, *, jobs: int, age_s: float, rss_bytes: int) -> str | None:
        """Which limit is reached, in words."""
        if self.jobs is not None and jobs >= self.jobs:
            return f"it has run {jobs:,} jobs (--max-jobs)"
        if self.time_s is not None and age_s >= self.time_s:
            return f"it has run for {age_s:,.0f} s (--max-time)"
        if self.memory_mb is not None and rss_bytes >= self.memory_mb * MIB:
            return f"it takes {rss_bytes / MIB:,.0f} MB (--max-memory)"
        return None
