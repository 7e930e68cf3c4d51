"""Messages that know their broker, and the actors that make them: nothing here needs Dramatiq's global broker."""

from __future__ import annotations

from typing import Any, ParamSpec, Self, TypeVar

import dramatiq
from dramatiq import Broker, pipeline
from dramatiq.results import ResultBackend

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

#: Options that name an actor.
CALLBACKS = {"on_success", "on_failure", "on_retry_exhausted"}


class Message(dramatiq.Message[R_co]):
    """Dramatiq's message with the broker of its actor, for `|` and `get_result`.

    The broker is no field: it is not sent, and a message that was pickled has none, as a plain one.
    """

    _broker: Broker | None = None

    def bind(self, broker: Broker | None) -> Self:
        """Give it its broker; returns the message itself."""
        # The class is frozen, and this is no part of its value.
        object.__setattr__(self, "_broker", broker)
        return self

    def copy(self, **attributes: Any) -> Message[R_co]:
        """A copy with some fields changed, and with these options added."""
        return self._bound(super().copy(**attributes))

    def get_result(
        self, *, backend: ResultBackend | None = None, block: bool = False, timeout: int | None = None
    ) -> R_co:
        """The result that the Results middleware of its broker kept; `timeout` in milliseconds."""
        if backend is None and self._broker is not None:
            backend = self._broker.get_results_backend()
        return super().get_result(backend=backend, block=block, timeout=timeout)

    def _replace(self, **changes: Any) -> Message[R_co]:
        return self._bound(super()._replace(**changes))

    def _bound(self, copied: Any) -> Message[R_co]:
        message: Message[R_co] = copied
        return message.bind(self._broker)

    def __or__(self, other: Any) -> Pipeline:
        return Pipeline([self, other], broker=self._broker)

    def __eq__(self, other: object) -> bool:
        # Its own class would make it differ from the same message as a worker reads it.
        return self.asdict() == other.asdict() if isinstance(other, dramatiq.Message) else NotImplemented

    __hash__ = dramatiq.Message.__hash__

    def __getstate__(self) -> dict[str, Any]:
        return self.asdict()


class Pipeline(pipeline):
    """A pipeline that keeps its broker when it grows."""

    def __or__(self, other: Any) -> Pipeline:
        return Pipeline([*self.messages, other], broker=self.broker)


class BoundActor(dramatiq.Actor[P, R]):
    """An actor whose messages know its broker."""

    def message_with_options(
        self, *, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None, **options: Any
    ) -> Message[R]:
        """Make a message with Dramatiq's options without sending it. Callbacks may be handles of `queue.actor`, too."""
        for name in CALLBACKS & options.keys():
            options[name] = getattr(options[name], "actor_name", options[name])
        made = super().message_with_options(args=args, kwargs=kwargs, **options)
        message: Message[R] = Message(**made.asdict())
        return message.bind(self.broker)
