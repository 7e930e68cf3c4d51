"""How values read on pages: numbers, durations, moments, and the texts of jobs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from .. import times

#: Stands for what there is not.
NOTHING = "–"
#: Characters of a payload's or an error's excerpt in a list.
EXCERPT = 120


def number(value: float) -> str:
    """A whole number with separators, exact however large."""
    return f"{value:,.0f}"


def count(value: int, noun: str) -> str:
    """A number of things: `1 job`, `2 jobs`."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def short_number(value: float) -> str:
    """A number for an axis: `12`, `1.5k`, `2M`."""
    for unit, size in (("M", 1_000_000), ("k", 1000)):
        if abs(value) >= size:
            return f"{value / size:.1f}".rstrip("0").rstrip(".") + unit
    return f"{value:.1f}".rstrip("0").rstrip(".")


def duration(value_ms: float | None) -> str:
    """A length of time; a dash for none."""
    return NOTHING if value_ms is None else times.duration(round(value_ms))


def size(value: float) -> str:
    """Bytes in binary units."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def moment(at: datetime | None, now: datetime | None = None) -> Markup:
    """A `<time>` with how long ago, and the whole moment in UTC when hovered; a dash for none.

    The browser's script shows the viewer's own time zone, and lets the text grow old.
    """
    if at is None:
        return Markup(NOTHING)
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds"), f"{utc:%Y-%m-%d %H:%M:%S} UTC", times.relative(at, now)
    )


def excerpt(text: str, limit: int = EXCERPT) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit and len(text) <= limit * 4 else f"{line[: limit - 1]}…"


def json_line(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def breakable(text: str) -> Markup:
    """A long name that may wrap after dots, dashes and underscores."""
    marked = escape(text)
    for char in "._-/":
        marked = marked.replace(char, Markup(f"{char}<wbr>"))
    return marked
