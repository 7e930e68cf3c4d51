"""Who did what: logged, and kept in the audit trail."""

from __future__ import annotations

import json
import logging
from typing import Any

from .broker import QueueBroker
from .errors import QueueUnavailable

logger = logging.getLogger("flask_queue.audit")


class Trail:
    """Tells of one operator's actions.

    Args:
        broker: of the app.
        actor: who acts; None for code.
    """

    def __init__(self, broker: QueueBroker, actor: str | None) -> None:
        self._broker = broker
        self._actor = actor

    def note(self, action: str, target: str, **details: Any) -> None:
        """Log what was done, and keep it. What was done is done: where it cannot be kept, that is only logged."""
        details = {key: value for key, value in details.items() if value is not None}
        actor = self._actor or "code"
        # Whoever has a line break in their name does not write lines of their own.
        told = actor if actor.isprintable() else ascii(actor)
        logger.info("%s %s by %s %s", action, target, told, json.dumps(details))
        try:
            self._broker.store.audit.note(action, target, self._actor, details)
        except QueueUnavailable as error:
            logger.warning("%s %s was done, but is missing in the audit trail: %s", action, target, error)
