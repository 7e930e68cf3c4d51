"""One job, and what can be done to it."""

from __future__ import annotations

from typing import Any

from ..desk import Desk


def context(desk: Desk, job_id: str) -> dict[str, Any]:
    """What the template wants."""
    return {"title": "Job"}


def change(desk: Desk, job_id: str, verb: str) -> str:
    """Do it; what to tell the visitor."""
    raise NotImplementedError
