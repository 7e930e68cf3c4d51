"""How one dispatch differs from what its Job class says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from .environment import given_number, seconds, whole
from .store.keys import LOCAL_ID

T = TypeVar("T")

MIN_PRIORITY = -100
MAX_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """Checked options, in the units of the store; None and 0 mean what the class says."""

    delay_ms: int = 0
    #: Unix time.
    due_ms: int = 0
    priority: int | None = None
    queue_name: str | None = None
    job_id: str | None = None
    unique_for_s: float | None = None
    unique_key: str | None = None
    after_commit: bool | None = None
    #: What travels with the message, for the worker.
    message: Mapping[str, Any] = field(default_factory=dict)


#: Nothing differs.
DEFAULTS = DispatchOptions()


def make_options(
    *,
    delay_s: float | None = None,
    at: datetime | None = None,
    priority: int | None = None,
    queue_name: str | None = None,
    max_retries: int | None = None,
    timeout_s: float | None = None,
    job_id: str | None = None,
    unique_for_s: float | None = None,
    unique_key: str | None = None,
    after_commit: bool | None = None,
) -> DispatchOptions:
    """Check options and bring them into the store's units.

    Raises:
        ValueError: an option has a wrong value; the message names it.
    """
    if delay_s is not None and at is not None:
        raise ValueError("options(delay_s=…, at=…): give one of the two")
    message = {
        "max_retries": _given("max_retries", max_retries, whole(0)),
        "timeout_s": _given("timeout_s", timeout_s, seconds(above=True)),
    }
    return DispatchOptions(
        delay_ms=round(1000 * (_given("delay_s", delay_s, seconds()) or 0)),
        due_ms=_due_ms(at),
        priority=_given("priority", priority, whole(MIN_PRIORITY, MAX_PRIORITY)),
        queue_name=_text("queue_name", queue_name),
        job_id=None if job_id is None else check_job_id(job_id),
        unique_for_s=_given("unique_for_s", unique_for_s, seconds(above=True)),
        unique_key=_text("unique_key", unique_key),
        after_commit=_yes_or_no("after_commit", after_commit),
        message={key: value for key, value in message.items() if value is not None},
    )


def check_job_id(job_id: object) -> str:
    """The id, if it can be one.

    Raises:
        ValueError: it cannot.
    """
    if not isinstance(job_id, str) or not LOCAL_ID.fullmatch(job_id):
        raise ValueError(
            f"job_id={job_id!r}: give the part after the queue's name: 1 to 128 letters, digits, dots, _ and -"
        )
    return job_id


def _given(name: str, value: T | None, parse: Callable[[object], T]) -> T | None:
    return None if value is None else given_number("options", name, value, parse)


def _yes_or_no(name: str, value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"options({name}={value!r}): give True or False")
    return value


def _text(name: str, value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"options({name}={value!r}): give a text that is not empty")
    return value


def _due_ms(at: object) -> int:
    if at is None:
        return 0
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise ValueError(f"options(at={at!r}): give a datetime with a time zone, as in datetime.now(UTC)")
    # Before 1970 is due as well, and 0 would mean that no time was given.
    return max(1, round(at.timestamp() * 1000))
