"""The hooks of Job classes."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from types import CoroutineType
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.asyncio import async_to_sync
from dramatiq.middleware import Interrupt

from ..delivery import Delivery
from ..errors import Fail
from ..outcome import Failed

logger = logging.getLogger("flask_queue.worker")


class Hooks(Middleware):
    """Calls `on_completed` and `on_failed`, once all other middleware has had its say about how the run ended.

    In the list before all that has a say: hooks after a run are called in reverse. After what they shall find in place.
    """

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Call the hook for this end, if the class has it."""
        if not isinstance(message, Delivery) or (exception is None and message.job is None and not message.failed):
            # Its class has no hooks: of most jobs that is all there is to know.
            return
        hooks = getattr(broker.actors.get(message.actor_name), "hooks", None)
        if not hooks or message.follow_up_lost:
            return
        if exception is None and message.outcome is None and not message.failed:
            if "on_completed" in hooks and not message.has_seen_cancel:
                _call(broker, message, "on_completed", result)
        elif "on_failed" in hooks and _has_failed(message, exception):
            _call(broker, message, "on_failed", exception or Fail("a middleware marked the message as failed"))

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Call `on_failed`: what is skipped fails, for the reason that it was skipped for."""
        reason = message._exception or Fail("a middleware skipped it")
        self.after_process_message(broker, message, exception=reason.__cause__ or reason)


def _has_failed(message: Delivery, exception: BaseException | None) -> bool:
    if exception is None:
        return message.outcome is None or isinstance(message.outcome, Failed)
    # A job that was cancelled ends so, whatever it raised.
    return isinstance(message.outcome, Failed) and not message.cancelled


def _call(broker: Broker, message: Delivery, name: str, argument: object) -> None:
    decided = message.outcome, message.failed, message.follow_up_lost, message.has_seen_cancel
    try:
        message.limit(lambda: _run(broker, message, name, argument))
    except (Exception, Interrupt, CancelledError, SystemExit):
        logger.exception("%s of job %s (%s) failed.", name, message.job_id, message.actor_name)
    finally:
        message.outcome, message.failed, message.follow_up_lost, message.has_seen_cancel = decided


def _run(broker: Broker, message: Delivery, name: str, argument: object) -> None:
    job = message.job or broker.actors[message.actor_name].make_job()  # type: ignore[attr-defined] # of a Job class
    result = getattr(job, name)(argument)
    if type(result) is CoroutineType:
        async_to_sync(lambda: result)()
