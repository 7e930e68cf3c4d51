"""What a failed run leads to."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Retries as StockRetries

from ..delivery import Delivery
from ..outcome import Failed, GivenBack
from ..retry import RetryPolicy, decide, describe_error


class Retries(StockRetries):
    """Jobs follow the policy of their class, plain actors Dramatiq's own rules and options.

    Either way the run is settled with its retry in one transition: nothing is enqueued and then acknowledged.
    """

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Decide, and mark a message that will not run again as failed, for the middleware that comes after."""
        if exception is None or not isinstance(message, Delivery) or isinstance(message.outcome, GivenBack):
            return
        policy = _policy(broker, message)
        if policy is None:
            message.error = describe_error(exception)
            # Dramatiq counts here; after an operator's retry ours starts anew.
            message.options["retries"] = message.attempt - 1
            super().after_process_message(broker, message, exception=exception)  # type: ignore[no-untyped-call] # Dramatiq's
            return
        message.outcome = decide(policy, message.attempt, exception)
        if isinstance(message.outcome, Failed):
            message.fail()


def _policy(broker: Broker, message: Delivery) -> RetryPolicy | None:
    actor = broker.actors.get(message.actor_name)
    policy_of = getattr(actor, "retry_policy", None)
    policy: RetryPolicy | None = policy_of(message.options) if policy_of else None
    return policy
