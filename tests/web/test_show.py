"""How values read on pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flask_queue.admin import show


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (999, "999"), (1_234_567, "1,234,567"), (2.6, "3")])
def test_numbers_are_exact(value: float, text: str) -> None:
    """However large; never `1.2M`."""
    assert show.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.5, "0.5"), (12, "12"), (1500, "1.5k"), (2_000_000, "2M"), (1_250_000, "1.2M")]
)
def test_numbers_of_an_axis_are_short(value: float, text: str) -> None:
    """They stand beside a line."""
    assert show.short_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_572_864, "1.5 MiB"),
        (123_456_789, "118 MiB"),
        (2**42, "4096 GiB"),
    ],
)
def test_sizes_are_in_binary_units(value: int, text: str) -> None:
    """To two or three digits."""
    assert show.size(value) == text


def test_a_moment_tells_how_long_ago_and_the_whole_time() -> None:
    """The element holds it for scripts, its title for people, in UTC whatever its zone."""
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    at = datetime(2026, 3, 1, 13, 55, tzinfo=timezone(timedelta(hours=2)))
    text = show.moment(at, now)
    assert 'datetime="2026-03-01T11:55:00.000+00:00"' in text
    assert 'title="2026-03-01 11:55:00 UTC"' in text
    assert ">5 min ago<" in text
    assert show.moment(None) == "–"


def test_an_excerpt_is_one_line_and_says_that_it_was_cut() -> None:
    """A text that fits stays as it is."""
    assert show.excerpt("a\n  b") == "a b"
    assert show.excerpt("x" * 500, 20) == "x" * 19 + "…"
    assert show.excerpt(" " * 3000 + "end", 20).endswith("…")


def test_a_name_may_wrap_and_is_escaped() -> None:
    """Job names are texts of others."""
    assert show.breakable("<b>.x") == "&lt;b&gt;.<wbr>x"
