"""What belongs to the current app and the current run."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app, has_app_context

from .broker import QueueBroker
from .delivery import Delivery, current_delivery
from .errors import QueueError

#: Where an app keeps its broker.
BROKER_KEY = "queue.broker"


def current_broker() -> QueueBroker:
    """The broker of the current app.

    Raises:
        QueueError: outside of an app context, or the app has no FlaskQueue.
    """
    if not has_app_context():
        raise QueueError(
            "Working outside of an app context: dispatch inside a request, a CLI command or a job, or wrap the call in "
            "`with app.app_context():`."
        )
    return broker_of(current_app._get_current_object())  # type: ignore[attr-defined]


def broker_of(app: Flask) -> QueueBroker:
    """The broker of an app.

    Raises:
        QueueError: the app has no FlaskQueue.
    """
    try:
        return cast(QueueBroker, app.extensions[BROKER_KEY])
    except KeyError:
        raise QueueError(f"App {app.name!r} has no FlaskQueue: call queue.init_app(app) in its factory.") from None


def current_run() -> Delivery | None:
    """The run that this code is part of, if any."""
    return current_delivery.get()
