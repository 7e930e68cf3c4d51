"""How jobs fared over time: what a visitor may look back to, and the charts of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...record import MinuteMetrics
from .. import show
from ..charts import Series, chart


class Range(NamedTuple):
    """What is looked back to: its name in the address, its length and that of a step."""

    name: str
    minutes: int
    step_minutes: int


RANGES = {each.name: each for each in (Range("1h", 60, 1), Range("24h", 1440, 60), Range("7d", 10_080, 120))}


def chosen(args: Mapping[str, str]) -> Range:
    """What the visitor wants to look back to; an hour unless they say so."""
    return RANGES.get(args.get("range", ""), RANGES["1h"])


def charts(steps: Sequence[MinuteMetrics], span: Range) -> list[dict[str, Any]]:
    """What the template's macro `charts` draws of them."""
    per = {1: "minute", 60: "hour"}.get(span.step_minutes, f"{span.step_minutes // 60} hours")
    completed = Series("completed", "fq-line-completed", [step.completed for step in steps])
    dispatched = Series("dispatched", "fq-line-dispatched", [step.dispatched for step in steps])
    failed = Series("failed", "fq-line-failed", [step.failed for step in steps])
    retried = Series("retried", "fq-line-delayed", [step.retried for step in steps])
    return [
        _chart("Throughput", f"jobs a {per}", steps, [completed, dispatched], show.short_number),
        _chart("Failures", f"jobs a {per}", steps, [failed, retried], show.short_number),
        _chart("Wait", "from due to start", steps, _percentiles(steps, "wait_ms", "waiting"), show.duration),
        _chart("Run time", "of a run", steps, _percentiles(steps, "runtime_ms", "active"), show.duration),
    ]


def _percentiles(steps: Sequence[MinuteMetrics], field: str, css: str) -> list[Series]:
    found = [getattr(step, field) for step in steps]
    return [
        Series("p95", f"fq-line-{css}", [None if each is None else each.p95 for each in found]),
        Series("p50", "fq-line-muted", [None if each is None else each.p50 for each in found]),
    ]


def _chart(
    title: str, unit: str, steps: Sequence[MinuteMetrics], series: Sequence[Series], told: Callable[[float], str]
) -> dict[str, Any]:
    moments = [step.at for step in steps]

    def texts(values: Sequence[float | None]) -> list[str]:
        return [show.NOTHING if value is None else told(value) for value in values]

    rows = list(zip(moments, zip(*(line.values for line in series), strict=True), strict=True))
    return {
        "title": title,
        "unit": unit,
        "svg": chart(f"{title}, {unit}", moments, series, told),
        "legend": [(line.name, line.css, *texts(line.values[-1:])) for line in series],
        "names": [line.name for line in series],
        # Newest first, as they are read; steps in which nothing was are left out.
        "table": [(at, texts(values)) for at, values in reversed(rows) if any(values)],
    }
