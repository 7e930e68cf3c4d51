"""Actions on many jobs: on those that were selected, and step by step on all that match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...bulk import MOST, Bulk, BulkStep
from ...errors import QueueError
from ...store.actions import Action
from ..desk import Desk
from ..filters import Filters
from ..show import count, number
from .jobs import CUT_BYTES, error_label

__all__ = ["MOST", "WORDS", "apply", "question", "step", "told"]

#: Of an action: what it does to a job, and how a message tells that it was done.
WORDS = {
    "retry": ("run again", "put back to waiting"),
    "promote": ("run now instead of later", "promoted"),
    "cancel": ("cancelled, or asked to stop where they run", "cancelled"),
    "delete": ("deleted, and cannot be brought back", "deleted"),
}
#: Refused jobs that a message names.
NAMED = 3


def apply(desk: Desk, action: str, ids: Sequence[str]) -> str:
    """Act on the selected jobs; what to tell the visitor."""
    applied = Bulk(desk.broker, actor=desk.user).apply_to(_action(action), ids)
    text = f"{count(len(applied.done), 'job')} {WORDS[action][1]}."
    named = [f"{job_id}: {reason}" for job_id, reason in list(applied.refused.items())[:NAMED]]
    if more := len(applied.refused) - len(named):
        named.append(f"{number(more)} more")
    return f"{text} Left as they were: {'; '.join(named)}." if named else text


def question(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What is asked before anything is done: to how many jobs."""
    action, filters = _action(args.get("action", "")), Filters.read(args)
    query = filters.query(desk.monitor)
    found = Bulk(desk.broker).count(action, query)
    first = desk.monitor.page(query, limit=1, cut_bytes=CUT_BYTES).records if filters.error else ()
    return _context(action, filters) | {"step": None, "count": found, "error_label": error_label(filters, first)}


def step(desk: Desk, form: Mapping[str, str]) -> dict[str, Any]:
    """Act on some more of the jobs that match."""
    action, filters = _action(form.get("action", "")), Filters.read(form)
    try:
        made = Bulk(desk.broker, actor=desk.user).step(action, filters.query(desk.monitor), form.get("cursor") or None)
    except ValueError as error:
        raise QueueError(str(error)) from None
    return _context(action, filters) | {
        "step": made,
        "done": made.done + _number(form.get("done")),
        "refused": made.refused + _number(form.get("refused")),
    }


def told(context: Mapping[str, Any]) -> str:
    """What to tell the visitor in the end."""
    refused = f", {number(context['refused'])} left as they were" if context["refused"] else ""
    return f"{count(context['done'], 'job')} {context['words'][1]}{refused}."


def is_over(context: Mapping[str, Any]) -> bool:
    """Whether that was the last step."""
    made: BulkStep = context["step"]
    return made.next_cursor is None


def _context(action: Action, filters: Filters) -> dict[str, Any]:
    title = f"{action.capitalize()} all that match"
    return {"title": title, "action": action, "words": WORDS[action], "filters": filters}


def _action(name: str) -> Action:
    if name not in WORDS:
        raise QueueError(f"There is no action {name!r} on many jobs: there are {', '.join(WORDS)}.")
    return cast(Action, name)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 16 else 0
