"""Charts: what they show, and that they need neither style nor script."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from flask_queue.admin.charts import HEIGHT, WIDTH, Series, bar, chart, sparkline
from flask_queue.admin.show import short_number

START = datetime(2026, 3, 1, 10, tzinfo=UTC)


def moments(count: int, minutes: int = 1) -> list[datetime]:
    """So many, evenly spaced."""
    return [START + timedelta(minutes=minutes * n) for n in range(count)]


def test_a_chart_can_be_read_out() -> None:
    """Its label has what it shows and the newest value of each line."""
    svg = chart("Throughput, jobs a minute", moments(3), [Series("completed", "c", [1, 2, 3])], short_number)
    root = ET.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "Throughput, jobs a minute: completed 3"


def test_each_moment_tells_its_values_when_it_is_pointed_at() -> None:
    """In words, without a script."""
    lines = [Series("completed", "c", [1, 20]), Series("p95", "d", [None, 7])]
    svg = chart("T", moments(2), lines, short_number)
    assert re.findall(r"<title[^>]*>([^<]+)</title>", svg) == [
        "Sun 10:00 UTC: completed 1, p95 –",
        "Sun 10:01 UTC: completed 20, p95 7",
    ]


@pytest.mark.parametrize("count", [1, 2, 24, 168])
@pytest.mark.parametrize("most", [0, 0.3, 1, 7, 1_000_000])
def test_lines_stay_inside_the_chart(count: int, most: float) -> None:
    """Whatever the values."""
    svg = chart("T", moments(count, 60), [Series("x", "c", [most * n / count for n in range(count)])], short_number)
    points = [
        point.split(",")
        for line in re.findall(r'polyline class="fq-line" points="([^"]+)"', svg)
        for point in line.split()
    ]
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in points)


def test_a_gap_is_a_gap_and_a_lone_value_a_dot() -> None:
    """Nothing is drawn where nothing was."""
    svg = chart("T", moments(5), [Series("x", "c", [1, 2, None, 3, None])], short_number)
    assert svg.count("<polyline") == 1
    assert svg.count("<circle") == 1


def test_a_chart_of_nothing_is_a_chart() -> None:
    """A new app has no values at all."""
    ET.fromstring(chart("T", moments(3), [Series("x", "c", [None, None, None])], short_number))
    ET.fromstring(chart("T", [], [Series("x", "c", [])], short_number))
    ET.fromstring(sparkline([], "none"))
    ET.fromstring(sparkline([0], "none"))


def test_names_are_escaped_and_nothing_is_inline() -> None:
    """Under a strict content policy a style attribute would be dropped, and a script would be an attack."""
    svg = chart('"<T>', moments(2), [Series("<script>", "c", [1, 2])], short_number) + sparkline([1, 2], "<x>")
    assert "<script>" not in svg
    assert "style=" not in svg
    ET.fromstring(f"<g>{svg}</g>")


def test_a_bar_shows_every_state_that_has_jobs() -> None:
    """Also one job among a million; a queue without jobs has an empty bar."""
    svg = bar({"waiting": 1, "failed": 0, "completed": 1_000_000})
    assert svg.count("<rect") == 2
    assert 'aria-label="1 waiting, 1,000,000 completed"' in svg
    width = float(re.findall(r'fq-fill-waiting" x="0.0" width="([\d.]+)"', svg)[0])
    assert width >= 1
    assert "no jobs" in bar({"waiting": 0})
