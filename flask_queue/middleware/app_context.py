"""Every run in an app context of its own."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any
from weakref import ref

from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.middleware import MiddlewareError
from flask import Flask
from flask.ctx import AppContext as FlaskAppContext

_pushed: ContextVar[FlaskAppContext | None] = ContextVar("flask_queue_app_context", default=None)


class AppContext(Middleware):
    """Pushes a fresh app context before a run and pops it after, exceptions included.

    First in the list, so that all other middleware works inside it: hooks before a run go in order, those after it in
    reverse. Popping runs the app's teardown functions, which is what returns a database session.
    """

    def __init__(self, app: Flask) -> None:
        self._app = ref(app)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Push."""
        app = self._app()
        if app is None:
            raise MiddlewareError("the app of this broker is gone")
        context = app.app_context()
        try:
            context.push()
        except Exception as error:
            # Without this the run would go on, outside of a context.
            raise MiddlewareError(f"the app context cannot be pushed: {error}") from error
        _pushed.set(context)

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Pop; teardown functions are told of the exception, as after a request."""
        context = _pushed.get()
        if context is not None:
            _pushed.set(None)
            context.pop(exception)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Pop."""
        self.after_process_message(broker, message)
