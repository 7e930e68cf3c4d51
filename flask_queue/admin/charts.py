"""Charts as SVG, drawn on the server: they need no script, obey dark mode by their classes, and can be read out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from .show import NOTHING

#: The size of a chart in its own units; pages scale it.
WIDTH, HEIGHT = 600, 170
#: Room for the labels of the axes.
LEFT, BOTTOM, TOP = 46, 20, 8
#: Marks on the time axis, at most.
MARKS = 6
#: Seconds beyond which the axis tells days as well.
LONG_S = 36 * 3600
#: Steps in which an axis may be divided, times powers of ten.
NICE = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, the class that colours it, and a value for each moment, None where there is none."""

    name: str
    css: str
    values: Sequence[float | None]


def chart(title: str, moments: Sequence[datetime], series: Sequence[Series], told: Callable[[float], str]) -> Markup:
    """A chart of some lines over time.

    Args:
        title: what it shows, for those who cannot see it.
        moments: of the values, evenly spaced, in UTC.
        series: as many values each as there are moments.
        told: how a value reads, on the axis and when a moment is pointed at.
    """
    top = _ceiling(max((value for line in series for value in line.values if value is not None), default=0))
    parts = [_grid(top, told), _time_axis(moments)]
    parts += [_line(line, top, len(moments)) for line in series]
    parts.append(_pointers(moments, series, told))
    label = f"{title}: " + "; ".join(f"{line.name} {_latest(line, told)}" for line in series)
    frame = Markup('<svg class="fq-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return frame.format(WIDTH, HEIGHT, label, Markup().join(parts))


def sparkline(values: Sequence[float], title: str, css: str = "fq-line-completed") -> Markup:
    """A line without axes, as high as a line of text."""
    width, height, most = 100, 22, max([*values, 1])
    step = width / max(1, len(values) - 1)
    points = _points((n * step, height - 2 - value / most * (height - 4)) for n, value in enumerate(values))
    frame = Markup(
        '<svg class="fq-spark {}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<polygon class="fq-area" points="0,{} {} {},{}"/><polyline class="fq-line" points="{}"/></svg>'
    )
    return frame.format(css, width, height, title, height, points, width, height, points)


def bar(counts: Mapping[str, int]) -> Markup:
    """How jobs divide into states, as one bar; states without jobs take no room."""
    total = sum(counts.values())
    label = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count) or "no jobs"
    piece = Markup('<rect class="fq-fill-{}" x="{}" width="{}" height="8"/>')
    parts, at = Markup(), 0.0
    for state, count in counts.items():
        if count:
            # A state that has jobs is always seen.
            width = max(1.5, 100 * count / total)
            parts += piece.format(state, round(at, 2), round(width, 2))
            at += width
    frame = Markup(
        '<svg class="fq-bar" viewBox="0 0 {} 8" preserveAspectRatio="none" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg>"
    )
    return frame.format(round(max(at, 100), 2), label, label, parts)


def _ceiling(most: float) -> float:
    """The top of the axis: a round number that is not below any value."""
    if most <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(most))
    return next(nice * power for nice in NICE if nice * power >= most)


def _x(index: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - 4) * index / max(1, count - 1)


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - BOTTOM - TOP) * (1 - value / top)


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _grid(top: float, told: Callable[[float], str]) -> Markup:
    line = Markup('<line class="fq-grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>')
    label = Markup('<text class="fq-axis" x="{}" y="{:.1f}">{}</text>')
    heights = [(value, _y(value, top)) for value in (0, top / 2, top)]
    return Markup().join(
        line.format(LEFT, WIDTH, y, y) + label.format(LEFT - 6, y + 4, told(value)) for value, y in heights
    )


def _time_axis(moments: Sequence[datetime]) -> Markup:
    every = max(1, math.ceil(len(moments) / MARKS))
    is_long = len(moments) > 1 and (moments[-1] - moments[0]).total_seconds() > LONG_S
    form, style = ("day", "%a %H:%M") if is_long else ("hour", "%H:%M")
    mark = Markup('<text class="fq-axis fq-at" data-at="{}" data-form="{}" x="{:.1f}" y="{}">{}</text>')
    return Markup().join(
        mark.format(at.isoformat(), form, _x(index, len(moments)), HEIGHT - 4, at.strftime(style))
        for index, at in list(enumerate(moments))[every // 2 :: every]
    )


def _line(line: Series, top: float, count: int) -> Markup:
    """The line, and the area below it; a gap where there is no value, and a dot for a value between two gaps."""
    drawn, run = Markup(), list[tuple[float, float]]()
    for index, value in enumerate([*line.values, None]):
        if value is not None:
            run.append((_x(index, count), _y(value, top)))
        elif run:
            drawn += _stretch(run, top)
            run = []
    return Markup('<g class="{}">{}</g>').format(line.css, drawn)


def _stretch(run: Sequence[tuple[float, float]], top: float) -> Markup:
    if len(run) == 1:
        return Markup('<circle class="fq-dot" cx="{:.1f}" cy="{:.1f}" r="2"/>').format(*run[0])
    area = _points([(run[0][0], _y(0, top)), *run, (run[-1][0], _y(0, top))])
    frame = Markup('<polygon class="fq-area" points="{}"/><polyline class="fq-line" points="{}"/>')
    return frame.format(area, _points(run))


def _pointers(moments: Sequence[datetime], series: Sequence[Series], told: Callable[[float], str]) -> Markup:
    """An invisible stripe for each moment, which tells its values when it is pointed at."""
    width = (WIDTH - LEFT - 4) / max(1, len(moments) - 1)
    stripe = Markup(
        '<rect class="fq-point" x="{:.1f}" y="{}" width="{:.1f}" height="{}">'
        '<title data-at="{}" data-rest="{}">{}</title></rect>'
    )
    drawn = Markup()
    for index, at in enumerate(moments):
        values = ", ".join(f"{line.name} {_value(line.values[index], told)}" for line in series)
        left, whole = _x(index, len(moments)) - width / 2, f"{at:%a %H:%M} UTC: {values}"
        drawn += stripe.format(left, TOP, width, HEIGHT - BOTTOM - TOP, at.isoformat(), values, whole)
    return drawn


def _value(value: float | None, told: Callable[[float], str]) -> str:
    return NOTHING if value is None else told(value)


def _latest(line: Series, told: Callable[[float], str]) -> str:
    return _value(line.values[-1] if line.values else None, told)
