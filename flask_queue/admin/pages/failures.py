"""Failed jobs by what they failed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..desk import Desk


def context(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    return {"title": "Failures"}
