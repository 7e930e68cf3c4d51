"""Text that is safe to show: job data may hold escape sequences, which a terminal would obey."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text with everything that is no visible character written as an escape, `\x1b`; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in text)


def one_line(text: str) -> str:
    """The text on one line, safe to show."""
    return printable(" ".join(text.split()))


def _escape(char: str) -> str:
    return "    " if char == "\t" else char.encode("unicode_escape").decode()
