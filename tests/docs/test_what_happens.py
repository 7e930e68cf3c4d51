"""Each row of the page about faults names a test, and the test is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "what-happens-when.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| when …")]


def functions(path: Path) -> set[str]:
    """The names of a module's tests."""
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:40])
def test_every_row_names_a_test_that_is_there(row: str) -> None:
    """In its last column; one that was renamed would prove nothing."""
    _, *columns, _ = (cell.strip() for cell in row.split("|"))
    assert len(columns) == 4, "a row tells what happens, what is seen, and by which test it is shown"
    named = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", columns[-1])
    assert named, columns[-1]
    assert named.group(2) in functions(ROOT / named.group(1))


def test_the_page_is_found() -> None:
    """From the first page that anybody reads."""
    assert f"docs/{PAGE.name}" in (ROOT / "README.md").read_text()
    assert len(ROWS) > 40
