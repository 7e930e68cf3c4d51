"""What the doctor found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from redis.exceptions import RedisError

from ..errors import QueueUnavailable
from ..store.connect import is_forbidden


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and what to do about it, if anything."""

    check: str
    level: Level
    message: str
    remedy: str = ""
    #: Whether a repair puts it right.
    is_fixable: bool = False


def guard(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a look finds; where the server refuses to show it, that, and no look after it is kept from being made."""
    try:
        yield from look()
    except (RedisError, QueueUnavailable) as error:
        cause = error.__cause__ if isinstance(error.__cause__, RedisError) else error
        if is_forbidden(cause):
            message = f"could not be read: {cause}"
            yield Finding(
                check, Level.WARNING, message, "Let the user of QUEUE_REDIS_URL do that, or look at it yourself."
            )
            return
        yield Finding(check, Level.ERROR, f"could not be checked: {cause}", "See the server's log, and try again.")
    except (ValueError, TypeError, LookupError) as error:
        # Damaged data is what it is called for: it must not end at that.
        message = f"could not be checked, as something that is stored cannot be read: {error!r}"
        remedy = "Something else writes under these keys: give each app a QUEUE_PREFIX of its own."
        yield Finding(check, Level.ERROR, message, remedy)
