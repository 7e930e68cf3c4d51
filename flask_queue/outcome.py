"""What a run decided: one outcome, which the pump settles in one transition."""

from __future__ import annotations

from dataclasses import dataclass

from .record import JobError


@dataclass(frozen=True, slots=True)
class Completed:
    """`handle` returned. `result` is JSON text, empty for None; `result_cut` says that it was cut."""

    result: str = ""
    result_cut: bool = False


@dataclass(frozen=True, slots=True)
class Retried:
    """The run failed and spends an attempt; the job runs again after `delay_ms`.

    `message` replaces the stored message where a stock middleware changed its options, else None.
    """

    delay_ms: int
    error: JobError
    message: bytes | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The last run failed: no more retries."""

    error: JobError
    #: False where the job was refused before it ran.
    spends_attempt: bool = True


@dataclass(frozen=True, slots=True)
class Released:
    """Given back by the job itself, without spending an attempt; it may run again after `delay_ms`."""

    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An operator cancelled it while it ran."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Back to its queue, unspent: it had not started, or a shutdown interrupted it.

    To the front; or after `delay_ms`, where it waited for a turn that did not come.
    """

    delay_ms: int = 0


Outcome = Completed | Retried | Failed | Released | Cancelled | GivenBack
