"""Moments and durations as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

#: Unit → seconds, and how many of it are still told in the unit below.
_UNITS = (("day", 86_400, 2), ("h", 3600, 2), ("min", 60, 2))


def relative(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, or in how long."""
    away_s = ((now or datetime.now(UTC)) - moment).total_seconds()
    amount = _amount(abs(away_s))
    return f"{amount} ago" if away_s >= 0 else f"in {amount}"


def absolute(moment: datetime) -> str:
    """Local time with its distance from UTC, and how long ago."""
    local = moment.astimezone().isoformat(sep=" ", timespec="seconds")
    return f"{local} ({relative(moment)})"


def duration(length_ms: int) -> str:
    """A length of time, to two or three digits."""
    if length_ms < 1000:
        return f"{length_ms} ms"
    return f"{length_ms / 1000:.1f} s" if length_ms < 60_000 else _amount(length_ms / 1000)


def _amount(length_s: float) -> str:
    for unit, unit_s, least in _UNITS:
        if length_s >= unit_s * least:
            count = int(length_s // unit_s)
            return f"{count} {unit}{'s' if unit == 'day' else ''}"
    return f"{int(length_s)} s"
