"""All queues, and one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..desk import Desk


def all_queues(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    return {"title": "Queues"}


def one_queue(desk: Desk, name: str, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    return {"title": name}


def change(desk: Desk, name: str, verb: str, form: Mapping[str, str]) -> str:
    """Do it; what to tell the visitor."""
    if verb == "pause":
        desk.operations.pause(name, form.get("reason", ""))
        return f"{name} is paused: workers take none of its jobs until it is resumed."
    desk.operations.resume(name)
    return f"{name} is resumed."
