"""Who may see the dashboard, and who may change something there. Closed unless a rule opens it."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any, cast

from flask import current_app, request

from ..config import Config

logger = logging.getLogger("flask_queue.admin")

HOW_TO_OPEN = (
    "set QUEUE_DASHBOARD_ACCESS, or QUEUE_DASHBOARD_USERNAME and QUEUE_DASHBOARD_PASSWORD, or override is_accessible "
    "in the index view of your Admin"
)


class Access(StrEnum):
    """What somebody may do."""

    NONE = "none"
    READ = "read"
    FULL = "full"


class Refusal(StrEnum):
    """How somebody is refused who may not see it."""

    FORBIDDEN = "forbidden"
    ASK_PASSWORD = "ask password"
    BY_APP = "by app"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one request may do, and who asks as far as the rule knows."""

    access: Access
    rule: str
    user: str | None = None
    refusal: Refusal = Refusal.FORBIDDEN


def judge(config: Config, app_rule: Callable[[], Any] | None) -> Verdict:
    """The verdict on the current request, by the first rule that there is.

    Args:
        config: of the app.
        app_rule: `is_accessible` of the app's own index view, if that has a rule.
    """
    if config.dashboard_access is not None:
        return Verdict(_ask(config.dashboard_access), "QUEUE_DASHBOARD_ACCESS")
    if config.dashboard_username is not None and config.dashboard_password is not None:
        return _check_password(config.dashboard_username, config.dashboard_password)
    if app_rule is not None:
        access = Access.FULL if app_rule() else Access.NONE
        return Verdict(access, "the rule of the app's Admin", refusal=Refusal.BY_APP)
    if current_app.debug or current_app.testing:
        return Verdict(Access.FULL, "open, as the app is in debug or testing mode")
    logger.warning("The dashboard is closed: no rule says who may see it. To open it, %s.", HOW_TO_OPEN)
    return Verdict(Access.NONE, "closed, as no rule says who may see it")


def _ask(rule: object) -> Access:
    """What the configured function answers; anything but the three answers that there are closes."""
    try:
        answer = _function(rule)()
    except Exception:
        logger.exception("The dashboard is closed: QUEUE_DASHBOARD_ACCESS failed.")
        return Access.NONE
    if answer is False:
        return Access.NONE
    if isinstance(answer, str) and answer in (Access.READ, Access.FULL):
        return Access(answer)
    logger.warning("The dashboard is closed: QUEUE_DASHBOARD_ACCESS returned %r, not False, 'read' or 'full'.", answer)
    return Access.NONE


def _function(rule: object) -> Callable[[], object]:
    if callable(rule):
        return rule
    module, _, path = str(rule).partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return cast("Callable[[], object]", found)


def _check_password(username: str, password: str) -> Verdict:
    given = request.authorization
    if given is not None and given.type == "basic":
        is_user = hmac.compare_digest((given.username or "").encode(), username.encode())
        is_password = hmac.compare_digest((given.password or "").encode(), password.encode())
        if is_user and is_password:
            return Verdict(Access.FULL, "HTTP Basic", user=username)
    return Verdict(Access.NONE, "HTTP Basic", refusal=Refusal.ASK_PASSWORD)
