"""What a visitor filters jobs by: read from the address, and written into links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from ..bulk import FROM
from ..errors import QueueError
from ..monitor import Monitor
from ..query import Query
from ..record import JobState

#: Names for `since` that people choose from, in hours.
AGES = {"1h": 1, "24h": 24, "7d": 168}


@dataclass(frozen=True, slots=True)
class Filters:
    """The arguments of `FlaskQueue.jobs`, as texts; an empty one asks for nothing."""

    state: str = ""
    queue: str = ""
    name: str = ""
    tag: str = ""
    search: str = ""
    error: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def read(cls, args: Mapping[str, str]) -> Self:
        """Those of an address, or a form; whatever else is there is left out."""
        return cls(**{field.name: args.get(field.name, "").strip() for field in fields(cls)})

    def __bool__(self) -> bool:
        return bool(self.given())

    def given(self, **changes: str | None) -> dict[str, str]:
        """Those that are not empty, for an address."""
        changed = replace(self, **{name: value or "" for name, value in changes.items()})
        return {field.name: getattr(changed, field.name) for field in fields(self) if getattr(changed, field.name)}

    def query(self, monitor: Monitor) -> Query:
        """What they ask for.

        Raises:
            QueueError: one of them is wrong; the message says what to do.
        """
        asked: dict[str, Any] = self.given()
        try:
            asked |= {name: _moment(name, asked[name]) for name in ("since", "until") if name in asked}
            return monitor.query(**asked)
        except ValueError as error:
            raise QueueError(str(error)) from None

    def told(self) -> str:
        """In words, for a question and the audit trail."""
        states = self.state or "all"
        rest = {name: text for name, text in self.given().items() if name != "state"}
        return ", ".join([f"{states} jobs", *(f"{name} {text}" for name, text in rest.items())])


def _moment(name: str, text: str) -> datetime:
    """A time: an age such as `24h`, or ISO 8601, in UTC where it has no zone."""
    if text in AGES:
        return datetime.now(UTC) - timedelta(hours=AGES[text])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        known = ", ".join(AGES)
        raise ValueError(f"{name}: {text!r} is no time: give one as in 2026-01-31T14:30, or {known}") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def actions_for(state: str) -> tuple[str, ...]:
    """What can be done to jobs of this state; of any for none."""
    return tuple(action for action, states in FROM.items() if not state or JobState(state) in states)
