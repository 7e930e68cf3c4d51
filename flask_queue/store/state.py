"""The state record of a job, as `lua/includes/state.lua` writes it."""

from __future__ import annotations

from typing import NamedTuple, Self

from ..record import JobState

#: The letters of the states in Redis; `x` is cancelled, as `c` is completed.
STATES = {
    "w": JobState.WAITING,
    "d": JobState.DELAYED,
    "a": JobState.ACTIVE,
    "c": JobState.COMPLETED,
    "f": JobState.FAILED,
    "x": JobState.CANCELLED,
}

#: Words before the result.
_WORDS = 13


class StateRecord(NamedTuple):
    """One job's state; times are Unix milliseconds by Redis's clock, 0 for never."""

    state: str
    nonce: str
    flags: str
    attempts: int
    number: int
    recoveries: int
    priority: int
    created_ms: int
    due_ms: int
    started_ms: int
    finished_ms: int
    runtime_ms: int
    worker: str
    #: JSON, or cut; of failed and cancelled ones what they are listed under, as `lua/includes/index.lua` says.
    result: str

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """The record of its packed text."""
        words = text.decode().split(" ", _WORDS)
        state, nonce, flags, attempts, number, recoveries, priority, created, due, started, finished, runtime, *rest = (
            words
        )
        return cls(
            state,
            nonce,
            flags,
            int(attempts),
            int(number),
            int(recoveries),
            int(priority),
            int(created),
            int(due),
            int(started),
            int(finished),
            int(runtime),
            *rest,
        )

    @property
    def job_state(self) -> JobState:
        """The state by its public name."""
        return STATES[self.state]
