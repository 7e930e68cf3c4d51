"""Plain functions as actors of every app of an extension."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar

from dramatiq import Actor, Message
from dramatiq import actor as make_actor

from .broker import QueueBroker
from .current import current_broker
from .errors import JobNotRegistered
from .message import BoundActor

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class QueueActor(Generic[P, R]):
    """A function that can be called, or sent to the workers of the current app.

    Made by `queue.actor(…)`; each app has a Dramatiq actor of its own for it.
    """

    fn: Callable[P, R]
    actor_name: str
    queue_name: str
    options: dict[str, Any] = field(repr=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now."""
        return self.fn(*args, **kwargs)

    def send(self, *args: P.args, **kwargs: P.kwargs) -> Message[R]:
        """Store a message for the workers. Redis: one round trip.

        Raises:
            JobNotRegistered: the current app's extension is not the one that made this actor.
            InvalidPayload, PayloadTooLarge, QueueUnavailable: as for jobs.
        """
        return self._actor().send(*args, **kwargs)

    def send_with_options(
        self,
        *,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        delay: timedelta | int | None = None,
        **options: Any,
    ) -> Message[R]:
        """Store a message with Dramatiq's options; `delay` in milliseconds or as a timedelta."""
        return self._actor().send_with_options(args=args, kwargs=kwargs, delay=delay, **options)

    def message(self, *args: P.args, **kwargs: P.kwargs) -> Message[R]:
        """Make a message without sending it, for pipelines and groups."""
        return self._actor().message(*args, **kwargs)

    def message_with_options(
        self, *, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None, **options: Any
    ) -> Message[R]:
        """Make a message with Dramatiq's options without sending it."""
        return self._actor().message_with_options(args=args, kwargs=kwargs, **options)

    def declare(self, broker: QueueBroker) -> None:
        """Make it an actor of a broker."""
        make_actor(
            broker=broker,
            actor_class=BoundActor,
            actor_name=self.actor_name,
            queue_name=self.queue_name,
            **self.options,
        )(self.fn)

    def _actor(self) -> Actor[P, R]:
        actor = current_broker().actors.get(self.actor_name)
        if actor is None:
            raise JobNotRegistered(self.actor_name)
        return actor
