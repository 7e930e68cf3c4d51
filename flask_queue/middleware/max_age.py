"""Jobs that are too old to be of use."""

from __future__ import annotations

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import AgeLimit, SkipMessage

from ..delivery import Delivery
from ..errors import JobExpired
from ..outcome import Failed
from ..retry import describe_error
from .stock import uses


class MaxAge(AgeLimit):
    """Fails jobs that are older than the `max_age_s` of their class when their turn comes, instead of running them.

    Follows Dramatiq's `max_age` too, which is what plain actors have for that.
    """

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Refuse what is too old: for good, and without spending an attempt."""
        if self.max_age or uses(broker, message, "max_age"):
            super().before_process_message(broker, message)  # type: ignore[no-untyped-call] # Dramatiq's
        max_age_s: float | None = getattr(broker.actors.get(message.actor_name), "max_age_s", None)
        if max_age_s is None or not isinstance(message, Delivery) or message.age_s <= max_age_s:
            return
        error = JobExpired(f"it was {message.age_s:.1f} s old when its turn came; its max_age_s is {max_age_s:g}")
        message.outcome = Failed(describe_error(error), spends_attempt=False)
        message.fail()
        raise SkipMessage(str(error)) from error
