"""A job of the model."""

from __future__ import annotations

from dataclasses import dataclass, field

#: The due time of a delayed job that time has not reached.
NEVER_MS = 10**15


@dataclass
class Job:
    """One job."""

    local_id: str
    nonce: str
    priority: int
    state: str = "w"
    attempts: int = 0
    number: int = 0
    recoveries: int = 0
    worker: str = "-"
    started_ms: int = 0
    finished_ms: int = 0
    due_ms: int = 0
    #: Name of the unique lock that it has, or had.
    key: str = ""
    #: An operator asked it to stop, while it was active.
    is_unwanted: bool = False
    tags: tuple[str, ...] = ()
    #: Type of the error with which it failed.
    failed_with: str = ""
    history: list[tuple[int, str]] = field(default_factory=list)

    def ran(self, outcome: str) -> None:
        """Write the newest run down."""
        self.history.append((self.number, outcome))
