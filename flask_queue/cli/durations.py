"""Lengths of time and moments, as options of commands."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from ..environment import LONGEST_S

_UNITS_S = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


class Seconds(click.FloatRange):
    """A number of seconds in a range; `nan`, which is in every range, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


def read_duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """The seconds of 90, 90s, 15m, 2h, 3d or 1w; the callback of an option."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)([a-z]*)", value or "", re.ASCII)
    if value is None:
        return None
    if found is None or found[2] not in _UNITS_S:
        raise click.BadParameter(f"{value!r}: give seconds, or a number with a unit, as in 15m, 2h or 3d")
    length_s = float(found[1]) * _UNITS_S[found[2]]
    if length_s > LONGEST_S:
        raise click.BadParameter(f"{value!r}: give at most 100 years")
    return length_s


def read_moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """The moment of a text in ISO 8601; one without a zone is in that of this machine. The callback of an option."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone() if moment.utcoffset() is None else moment
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r}: give a time as in 2030-01-31T12:00 or 2030-01-31T12:00+01:00") from None


def read_past(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """So long ago, as in 2h, or a time as in `read_moment`. The callback of an option."""
    if value is not None and re.fullmatch(r"[\d.]+[a-z]*", value, re.ASCII):
        return datetime.now(UTC) - timedelta(seconds=read_duration(ctx, param, value) or 0)
    try:
        return read_moment(ctx, param, value)
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message}, or how long ago, as in 2h") from None
