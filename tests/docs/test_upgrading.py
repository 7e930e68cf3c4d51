"""The table of tested versions says what the sessions run, and no more."""

from __future__ import annotations

import re
from pathlib import Path

from tests.packaging.release import PYTHONS
from tests.versions.test_servers import RELEASES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "upgrading.md").read_text()
PROJECT = (ROOT / "pyproject.toml").read_text()
#: As the page calls them, and their distributions.
PACKAGES = {"Flask": "flask", "Dramatiq": "dramatiq", "redis-py": "redis", "Flask-Admin": "flask-admin"}


def rows() -> list[tuple[str, str, str]]:
    """What, version, how it was tested; what stands once for several rows is filled in."""
    found, what = [], ""
    for name, version, tested in re.findall(r"^\| ([^|]*?) ?\| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE):
        what = name or what
        found.append((what, version, tested))
    return found


def test_floors_are_those_of_the_project() -> None:
    """What `nox -s minimums` and the release check install."""
    for name, distribution in PACKAGES.items():
        (floor,) = re.findall(rf'^    "{distribution}>=([\d.]+)', PROJECT, re.MULTILINE)
        assert (name, f"{floor}.0", "minimums, release") in rows()
        assert (name, "newest", "every change, release") in rows()


def test_pythons_are_those_of_the_release_check() -> None:
    """The first is the one of continuous integration."""
    first, *others = PYTHONS
    assert ("Python", first, "every change") in rows()
    assert ("Python", ", ".join(others), "release") in rows()


def test_servers_are_those_of_the_slow_tests() -> None:
    """And those that are not had there say so, down to the oldest that is let in."""
    told = {f"{what} {version}" for what, version, tested in rows() if tested == "slow"}
    assert told == set(RELEASES)
    untested = [(what, version) for what, version, tested in rows() if tested == "not tested"]
    assert ("Valkey", "7.2, 8.0, 8.1") in untested
    assert ("Redis", "7.2, 7.4, 8.0") in untested
