"""How a broker tells its middleware what happens."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Sequence
from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.middleware import MiddlewareError

USE_OUR_WORKERS = "flask-queue runs its own workers: use `flask queue work` instead of the dramatiq command."

Hook = tuple[Middleware, Callable[..., None]]


class EmittingBroker(Broker):
    """Calls what a middleware has of its own: most have two hooks of twenty, and the empty ones took a third of a run.

    Which they are is looked up once, as middleware is added while an app starts.
    """

    def __init__(self, *, middleware: list[Middleware] | None = None) -> None:
        self._before: dict[str, Sequence[Hook]] = {}
        self._after: dict[str, Sequence[Hook]] = {}
        super().__init__(middleware=middleware)

    def add_middleware(
        self,
        middleware: Middleware,
        *,
        before: type[Middleware] | None = None,
        after: type[Middleware] | None = None,
    ) -> None:
        """Add a middleware, at the end or next to another, as in every Dramatiq broker."""
        super().add_middleware(middleware, before=before, after=after)
        self._before, self._after = {}, {}

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Call the middleware that has this hook, in order; only `MiddlewareError` gets through."""
        for middleware, hook in self._hooks_before(signal):
            try:
                hook(self, *args, **kwargs)
            except MiddlewareError:
                raise
            except Exception:
                self.logger.critical("Unexpected failure in before_%s of %r.", signal, middleware, exc_info=True)

    def has_before(self, signal: str) -> bool:
        """Whether a middleware has this hook."""
        return bool(self._hooks_before(signal))

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Call the middleware that has this hook, in reverse order; nothing gets through."""
        known = self._after
        hooks = known.get(signal)
        if hooks is None:
            if signal == "process_boot":
                _refuse_foreign_worker()
            hooks = known[signal] = self._hooks_of(f"after_{signal}")[::-1]
        for middleware, hook in hooks:
            try:
                hook(self, *args, **kwargs)
            except Exception:
                self.logger.critical("Unexpected failure in after_%s of %r.", signal, middleware, exc_info=True)

    def boot_process(self) -> None:
        """Tell the middleware that a worker process of ours has started."""
        super().emit_after("process_boot")

    def _hooks_before(self, signal: str) -> Sequence[Hook]:
        known = self._before
        hooks = known.get(signal)
        if hooks is None:
            # Into what was there before the look: a middleware may have been added meanwhile.
            hooks = known[signal] = self._hooks_of(f"before_{signal}")
        return hooks

    def _hooks_of(self, name: str) -> list[Hook]:
        plain = getattr(Middleware, name)
        bound = [(middleware, getattr(middleware, name)) for middleware in self.middleware]
        hooks = [(middleware, hook) for middleware, hook in bound if getattr(hook, "__func__", None) is not plain]
        if name == "before_delay_message":
            # Its gauge is for messages in a worker's memory, of which ours have none; in a web process it has none.
            hooks = [pair for pair in hooks if type(pair[0]).__module__ != "dramatiq.middleware.prometheus"]
        return hooks


def _refuse_foreign_worker() -> None:
    """End a process of the `dramatiq` command before it takes a job; the first of them says why."""
    # Not public, and the one thing that tells the first of several processes; typeshed has it in some releases only.
    is_first = multiprocessing.current_process()._identity in ((), (1,))  # type: ignore[attr-defined, unused-ignore]
    sys.exit(USE_OUR_WORKERS if is_first else 1)
