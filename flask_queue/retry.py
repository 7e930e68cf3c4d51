"""Whether and when a failed job runs again. Pure: no clock, no Redis."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from types import TracebackType

from .backoff import Backoff
from .errors import Fail, Release, Retry
from .outcome import Failed, Released, Retried
from .payload import storable
from .place import place_of
from .record import JobError

#: UTF-8 bytes of a traceback that are kept: its beginning and its end say the most.
MAX_TRACEBACK_BYTES = 32 << 10
#: UTF-8 bytes of an error's message that are kept.
MAX_MESSAGE_BYTES = 4 << 10
#: A hundred years in seconds: longer delays are typing errors, and overflow further on.
LONGEST_S = 100 * 365 * 86_400
#: Packages whose frames at the head of a traceback only say that a worker ran the job.
MACHINERY = ("flask_queue.", "dramatiq.", "asyncio.", "concurrent.futures.")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What one job does about failures.

    Args:
        max_retries: runs after the first, at most.
        backoff: how long to wait before each.
        retry_on: only these errors are retried; None for all.
        fail_on: these never are, also if `retry_on` names them.
    """

    max_retries: int
    backoff: Backoff
    retry_on: tuple[type[BaseException], ...] | None = None
    fail_on: tuple[type[BaseException], ...] = ()

    def is_final(self, error: BaseException) -> bool:
        """Whether this error ends the job, whatever retries are left."""
        if isinstance(error, Retry):
            return False
        if isinstance(error, (Fail, *self.fail_on)):
            return True
        return self.retry_on is not None and not isinstance(error, self.retry_on)


def decide(policy: RetryPolicy, attempt: int, error: BaseException) -> Retried | Failed | Released:
    """What follows from an error that `handle` raised.

    Args:
        policy: the job's.
        attempt: the one that failed, counted from 1.
        error: what it raised; `Retry`, `Fail` and `Release` are requests.
    """
    if isinstance(error, Release):
        return Released(_delay_ms(error.delay_s, 0))
    described = describe_error(error)
    if attempt > policy.max_retries or policy.is_final(error):
        return Failed(described)
    asked_s = error.delay_s if isinstance(error, Retry) else None
    return Retried(_delay_ms(asked_s, policy.backoff.delay_s(attempt)), described)


def describe_error(error: BaseException) -> JobError:
    """The error as it is kept: class name, message, traceback with its causes, and place, each within its limit."""
    try:
        message = str(error)
    except Exception as second:
        message = f"<its message cannot be shown: str() raised {type(second).__name__}>"
    return JobError(
        type=type(error).__name__,
        message=_cut(storable(message), MAX_MESSAGE_BYTES),
        traceback=_cut(storable(_traceback(error)), MAX_TRACEBACK_BYTES),
        place=place_of(error.__traceback__),
    )


def _delay_ms(asked_s: float | None, default_s: float) -> int:
    """Milliseconds of what the job asked for; nonsense counts as not asked, since a run must settle in any case."""
    is_number = isinstance(asked_s, int | float) and 0 <= asked_s <= LONGEST_S
    return round(1000 * (asked_s if asked_s is not None and is_number else default_s))


def _traceback(error: BaseException) -> str:
    """The traceback from the first frame that is the job's own."""
    try:
        shown = traceback.TracebackException(type(error), error, _own_frames(error.__traceback__), compact=True)
        return "".join(shown.format())
    except Exception as second:
        return f"<the traceback of {type(error).__name__} cannot be shown: {type(second).__name__}>"


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    own = frames
    while own is not None and str(own.tb_frame.f_globals.get("__name__")).startswith(MACHINERY):
        own = own.tb_next
    return own or frames


def _cut(text: str, limit_bytes: int) -> str:
    """The text, without its middle if it is too long."""
    encoded = text.encode()
    if len(encoded) <= limit_bytes:
        return text
    mark = f"\n… {len(encoded) - limit_bytes:,} bytes left out …\n"
    half = (limit_bytes - len(mark.encode())) // 2
    return encoded[:half].decode(errors="ignore") + mark + encoded[-half:].decode(errors="ignore")
