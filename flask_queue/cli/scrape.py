"""What `/metrics` of a worker's health port answers."""

from __future__ import annotations

from functools import partial

from ..broker import QueueBroker
from ..metrics import CONTENT_TYPE, exposition
from ..monitor import Monitor
from ..worker.health import Page

#: Where Dramatiq's own Prometheus middleware is.
_STOCK = "dramatiq.middleware.prometheus"


def metrics_page(broker: QueueBroker) -> Page:
    """The app's queues and, where the app has Dramatiq's Prometheus middleware, what that counted on this host."""
    has_stock = any(type(middleware).__module__ == _STOCK for middleware in broker.middleware)
    return Page(CONTENT_TYPE, partial(_text, Monitor(broker), has_stock))


def _text(monitor: Monitor, has_stock: bool) -> str:
    return exposition(monitor) + (_of_actors() if has_stock else "")


def _of_actors() -> str:
    """All processes on this host that share the middleware's folder."""
    # With the middleware comes the client library; without it neither is needed.
    from dramatiq.middleware.prometheus import DB_PATH
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, DB_PATH)
    return generate_latest(registry).decode()
