"""Versions, Redis, settings, and what the visitor may do."""

from __future__ import annotations

from typing import Any

from ..access import Verdict
from ..desk import Desk


def context(desk: Desk, verdict: Verdict) -> dict[str, Any]:
    """What the template wants."""
    return {"title": "About"}
