"""Which release of something is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed(distribution: str) -> str:
    """The version of a distribution; empty where it is not installed, or runs from its source."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
