"""Dramatiq's own middleware for options that few messages have: for all others it took a fifth of a short run."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Callbacks as StockCallbacks
from dramatiq.middleware import Pipelines as StockPipelines
from dramatiq.middleware import ShutdownNotifications as StockShutdownNotifications


class Callbacks(StockCallbacks):
    """Follows `on_success` and `on_failure`."""

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Send what follows, if the message or its actor names it."""
        if uses(broker, message, "on_success", "on_failure"):
            super().after_process_message(broker, message, result=result, exception=exception)  # type: ignore[no-untyped-call] # Dramatiq's


class Pipelines(StockPipelines):
    """Follows `pipe_target`."""

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Send the next message of the pipeline, if there is one."""
        if "pipe_target" in message.options:
            super().after_process_message(broker, message, result=result, exception=exception)  # type: ignore[no-untyped-call] # Dramatiq's


class ShutdownNotifications(StockShutdownNotifications):
    """Follows `notify_shutdown`."""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Note the thread, if it is to be interrupted when the worker stops."""
        if self.notify_shutdown or uses(broker, message, "notify_shutdown"):
            super().before_process_message(broker, message)  # type: ignore[no-untyped-call] # Dramatiq's


def uses(broker: Broker, message: MessageProxy, *options: str) -> bool:
    """Whether a message, or its actor, has one of these options."""
    actor = broker.actors.get(message.actor_name)
    for found in (message.options, actor.options if actor else None):
        if found and not found.keys().isdisjoint(options):
            return True
    return False
