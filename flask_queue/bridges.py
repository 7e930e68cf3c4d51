"""From signals to jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from blinker import Signal
from flask import Flask, current_app, has_app_context

from .dispatch import dispatch
from .errors import InvalidPayload
from .job import Job

#: From a signal's sender and facts to the payload of a job, or None for no job.
Map = Callable[..., Mapping[str, Any] | None]


class Bridge:
    """Dispatches a job whenever a signal is sent, until it is disconnected. Made by `queue.on(…)`.

    The signal keeps it, so nobody else has to.
    """

    def __init__(self, signal: Signal, job: type[Job], map: Map, apps: Collection[Flask]) -> None:
        self.signal = signal
        self.job = job
        self._map = map
        self._apps = apps
        signal.connect(self._receive, weak=False)

    def disconnect(self) -> None:
        """Dispatch nothing from now on. Harmless where that is so already."""
        self.signal.disconnect(self._receive)

    def __repr__(self) -> str:
        return f"<Bridge from {self.signal!r} to {self.job.name}>"

    def _receive(self, sender: Any, /, **facts: Any) -> None:
        # Flask's own signals are sent by every app of the process, also by those that have nothing to do with this one.
        if has_app_context() and current_app._get_current_object() not in self._apps:  # type: ignore[attr-defined] # proxy
            return
        payload: object = self._map(sender, **facts)
        if payload is None:
            return
        if not isinstance(payload, Mapping):
            reason = f"map must return the arguments of handle by name, or None, not a {type(payload).__name__}"
            raise InvalidPayload(self.job.name, "$", reason)
        dispatch(self.job, (), payload)
