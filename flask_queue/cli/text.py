"""Text that is safe to show: job data may hold escape sequences, which a terminal would obey."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence

import click


def printable(text: str) -> str:
    r"""The text with everything that is no visible character written as an escape, `\x1b`; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(char if is_safe(char) else _escape(char) for char in text)


def is_safe(char: str) -> bool:
    """Whether a terminal only shows this character, or breaks the line."""
    return char.isprintable() or char == "\n" or unicodedata.category(char) == "Zs"


def one_line(text: str, limit: int | None = None) -> str:
    """The text on one line, safe to show, cut after `limit` characters."""
    line = printable(" ".join(text.split()))
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def show(text: str) -> None:
    """Print text; what the terminal's encoding lacks is escaped."""
    click.echo(encodable(text))


def encodable(text: str) -> str:
    """The text with what the encoding of standard output lacks written as an escape."""
    encoding = stdout_encoding()
    return text.encode(encoding, "backslashreplace").decode(encoding)


def stdout_encoding() -> str:
    """The encoding of what is printed; there is none where standard output is closed."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def fitting(lines: str) -> str:
    """The lines, cut where a terminal would go on in the next line: for tables that end in free text.

    A file or a pipe gets all.
    """
    if not sys.stdout.isatty():
        return lines
    width = shutil.get_terminal_size().columns
    return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in lines.split("\n"))


def table(header: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """Aligned columns, numbers to the right."""
    cells = [tuple(header), *rows]
    widths = [max(len(str(cell)) for cell in column) for column in zip(*cells, strict=True)]
    are_numbers = [isinstance(cell, int) for cell in cells[-1]]
    lines = []
    for row in cells:
        padded = [
            str(cell).rjust(width) if is_number else str(cell).ljust(width)
            for cell, width, is_number in zip(row, widths, are_numbers, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _escape(char: str) -> str:
    return "    " if char == "\t" else char.encode("unicode_escape").decode()
