"""Dramatiq middleware of ours, one small file each, and the list that every app starts with."""

from __future__ import annotations

from dramatiq import Middleware
from dramatiq.middleware import CurrentMessage
from flask import Flask

from .app_context import AppContext
from .event_loop import EventLoop
from .hooks import Hooks
from .max_age import MaxAge
from .retries import Retries
from .stock import Callbacks, Pipelines, ShutdownNotifications
from .time_limits import TimeLimits


def default_middleware(app: Flask) -> list[Middleware]:
    """The middleware of an app, in order: what the app adds comes after it.

    Args:
        app: whose context each run gets.
    """
    return [
        AppContext(app),
        MaxAge(),
        TimeLimits(),
        ShutdownNotifications(),
        CurrentMessage(),
        Hooks(),
        EventLoop(),
        Callbacks(),
        Pipelines(),
        Retries(),
    ]
