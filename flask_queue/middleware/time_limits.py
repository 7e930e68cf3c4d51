"""Dramatiq's `time_limit` option; the limit itself is kept by the executor, which knows when `handle` is over."""

from __future__ import annotations

from dramatiq import Middleware


class TimeLimits(Middleware):
    """Lets actors and messages set `time_limit`, in milliseconds, as with Dramatiq's TimeLimit."""

    @property
    def actor_options(self) -> set[str]:
        """The options that this makes known."""
        return {"time_limit"}
