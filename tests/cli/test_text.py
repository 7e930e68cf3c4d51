"""What reaches the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flask_queue.cli.text import fitting, one_line, printable, table
from flask_queue.times import duration, relative

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢字 •", "plain é 漢字 •"),
        ("non\u00a0breaking", "non\u00a0breaking"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b31m \x7f \x00", r"\x9b31m \x7f \x00"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udcff", r"\udcff"),
        ("a\tb\r\nc", "a    b\\r\nc"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    """Control characters, marks of direction, halves of characters; everything visible stays."""
    assert printable(text) == shown


def test_a_cell_is_one_short_line() -> None:
    """Line breaks in an error would tear a table apart."""
    assert one_line("a\n  b\x1b\u2028c") == r"a b\x1b c"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"


def test_columns_are_aligned() -> None:
    """Words to the left, numbers to the right, no blanks at the end."""
    assert table(["NAME", "N", "X"], [["a", 5, ""], ["longer", 10, "y"]]) == (
        "NAME     N  X\na        5\nlonger  10  y"
    )


def test_a_table_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gets it whole."""
    monkeypatch.setenv("COLUMNS", "5")
    assert fitting("abcdef\nabcde") == "abcdef\nabcde"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert fitting("abcdef\nabcde") == "abcd…\nabcde"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7200, "2 h ago"),
        (172_800, "2 days ago"),
        (-50, "in 50 s"),
    ],
)
def test_moments_are_told_by_their_distance(seconds: int, words: str) -> None:
    """In the largest unit of which there are two."""
    assert relative(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(("length_ms", "words"), [(0, "0 ms"), (999, "999 ms"), (1500, "1.5 s"), (600_000, "10 min")])
def test_durations_are_short(length_ms: int, words: str) -> None:
    """Two or three digits are enough for a person."""
    assert duration(length_ms) == words
