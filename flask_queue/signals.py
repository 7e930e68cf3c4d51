"""What jobs and workers go through, as blinker signals. The sender is the app; `docs/events.md` tells when.

Receivers of the signals of jobs get `record`, a `JobRecord`; those of workers get `worker`, a `WorkerInfo`. They are
called in a context of the app. What one of them raises is logged: it changes nothing, and keeps no other from hearing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from blinker import NamedSignal, Namespace
from flask import Flask, current_app, has_app_context

logger = logging.getLogger("flask_queue")

_signals = Namespace()

#: A job was stored. Sent by the process that dispatched it, before `dispatch` returns; not for a deduplicated one.
job_dispatched = _signals.signal("job-dispatched")
#: A job could not be stored, or Redis did not say that it was: `record.error` tells why. Sent before that is raised.
job_dispatch_failed = _signals.signal("job-dispatch-failed")
#: A run begins. Sent by the worker, on the job's thread and in its app context.
job_started = _signals.signal("job-started")
#: A job has completed. Like all that tell of an end, sent by the worker once Redis has it, and at most once.
job_completed = _signals.signal("job-completed")
#: A run failed, and the job will run again.
job_retried = _signals.signal("job-retried")
#: A job has failed, and will not run again.
job_failed = _signals.signal("job-failed")
#: A job was cancelled: by the process that did so if it had not started, else by its worker.
job_cancelled = _signals.signal("job-cancelled")
#: A worker process is about to take its first job.
worker_started = _signals.signal("worker-started")
#: A worker process has ended all that it did; one that was killed sends nothing.
worker_stopped = _signals.signal("worker-stopped")

__all__ = [
    "job_cancelled",
    "job_completed",
    "job_dispatch_failed",
    "job_dispatched",
    "job_failed",
    "job_retried",
    "job_started",
    "worker_started",
    "worker_stopped",
]


def tell(app: Flask, signal: NamedSignal, **facts: Any) -> None:
    """Call the receivers of a signal, async ones too, in a context of the app. Raises nothing that they raise."""
    if signal.is_muted:
        return
    receivers = list(signal.receivers_for(app))
    if not receivers:
        return
    try:
        with _in_context_of(app):
            for receiver in receivers:
                _call(app, signal, receiver, facts)
    except Exception:
        # Of the app's own teardown functions, for one.
        logger.exception("The app context for receivers of %s failed.", signal.name)


def _call(app: Flask, signal: NamedSignal, receiver: Callable[..., Any], facts: Mapping[str, Any]) -> None:
    try:
        app.ensure_sync(receiver)(app, **facts)
    except Exception:
        logger.exception("A receiver of %s failed: %r.", signal.name, receiver)


def _in_context_of(app: Flask) -> AbstractContextManager[object]:
    is_current = has_app_context() and current_app._get_current_object() is app  # type: ignore[attr-defined] # of a proxy
    return nullcontext() if is_current else app.app_context()
