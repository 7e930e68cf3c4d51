"""What a machine lacks is skipped by name in one closing line, and never in continuous integration."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.needs import COMPLETE, closing_line, find, require


def test_a_missing_need_skips_the_test_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer without the program still gets a green run, and is told."""
    monkeypatch.delenv(COMPLETE, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^needs no-such-program$"):
        require("no-such-program")


def test_a_missing_need_fails_where_nothing_may_be_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continuous integration can't be green while it runs less than it should."""
    monkeypatch.setenv(COMPLETE, "1")
    with pytest.raises(pytest.fail.Exception, match="needs no-such-program"):
        require("no-such-program")


def test_a_need_that_is_there_gives_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any program on PATH can be required."""
    (tmp_path / "some-program").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert require("some-program") == find("some-program") == str(tmp_path / "some-program")


def test_the_packaged_valkey_is_found_without_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `embedded` is enough for the tests that need a Valkey server."""
    monkeypatch.setenv("PATH", "")
    assert Path(require("valkey-server")).name == "valkey-server"


def test_one_line_counts_what_was_missing() -> None:
    """Skips for other reasons are not counted."""
    reasons = ["Skipped: needs chromium", "Skipped: needs root", "Skipped: needs chromium", "Skipped: only on macOS"]
    assert closing_line(reasons) == "not run here: 2 tests (needs chromium), 1 test (needs root)"
    assert closing_line(reasons[-1:]) is None
