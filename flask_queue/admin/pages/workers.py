"""The living worker processes, and what can be asked of them."""

from __future__ import annotations

from typing import Any

from ..desk import Desk


def context(desk: Desk) -> dict[str, Any]:
    """What the template wants."""
    return {"title": "Workers"}


def change(desk: Desk, verb: str, worker_id: str) -> str:
    """Do it; what to tell the visitor."""
    raise NotImplementedError
