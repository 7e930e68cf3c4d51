"""OpenTelemetry spans that join a request, what it dispatches, and the runs that follow, into one trace.

Imported by those who want them, as it needs opentelemetry-api: `FlaskQueue(…, middleware=[Tracing])`.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from dramatiq import Broker, Message, MessageProxy, Middleware
from dramatiq.errors import RateLimitExceeded
from dramatiq.errors import Retry as StockRetry
from flask import Flask

from .delivery import Delivery, current_delivery
from .errors import Retry
from .outcome import Failed, GivenBack, Outcome, Retried
from .record import JobError, JobRecord
from .signals import job_dispatch_failed
from .store.keys import full_id
from .versions import installed

try:
    from opentelemetry import context, propagate, trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, SpanKind, StatusCode, TracerProvider
except ImportError as error:
    raise ImportError("flask_queue.tracing needs opentelemetry-api: pip install 'flask-queue[otel]'") from error

#: The option of a message that has its trace context, as HTTP headers would.
CARRIER = "trace_context"

#: The attribute of a message that is being dispatched.
_SPAN = "_dispatch_span"
#: What a run raises to run again.
_NOT_FAILURES = (Retry, StockRetry, RateLimitExceeded)


@dataclass(slots=True)
class _Run:
    """A run that is being traced."""

    span: Span
    token: Token[Context]
    error: BaseException | None = None


_run: ContextVar[_Run | None] = ContextVar("flask_queue_traced_run", default=None)


class Tracing(Middleware):
    """Spans for dispatches and runs, by OpenTelemetry's conventions for messaging.

    A job's context travels in its message, some 100 bytes; without a tracer provider nothing is sent along.

    Args:
        tracer_provider: None for the global one, which may be set later.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("flask_queue", installed("flask-queue"), tracer_provider)
        #: By full id, for what failed. Each is held by its message: one that is never stored leaves nothing behind.
        self._dispatches: WeakValueDictionary[str, Span] = WeakValueDictionary()
        job_dispatch_failed.connect(self._dispatch_failed)

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        """Begin the span of a dispatch, and send its context along."""
        run = current_delivery.get()
        if run is not None and run.local_id == message.message_id and run.queue_name == message.queue_name:
            # Dramatiq's own retry: no new job, and its next run belongs to the dispatch that it always had.
            return
        attributes = _attributes(message, "dispatch", "send")
        span = self._tracer.start_span(f"dispatch {message.actor_name}", kind=SpanKind.PRODUCER, attributes=attributes)
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(span))
        # A copy of another job has brought the context of that one.
        message.options.pop(CARRIER, None)
        if carrier:
            message.options[CARRIER] = carrier
        # The class is frozen, and this is no part of its value.
        object.__setattr__(message, _SPAN, span)
        self._dispatches[_id(message)] = span

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        """End it."""
        span: Span | None = getattr(message, _SPAN, None)
        if span is not None:
            span.end()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Begin the span of a run, which is the current one until the run is settled."""
        carrier = message.options.get(CARRIER) or {}
        parent = propagate.extract(carrier)
        attributes = _attributes(message, "run", "process")
        if isinstance(message, Delivery):
            attributes["flask_queue.job.attempt"] = message.attempt
        span = self._tracer.start_span(
            f"run {message.actor_name}",
            context=parent,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            # The conventions ask for a link, and allow the dispatch to be the parent as well.
            links=[Link(trace.get_current_span(parent).get_span_context())] if carrier else None,
        )
        _run.set(_Run(span, context.attach(trace.set_span_in_context(span, parent))))

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Note what was raised; what it leads to is decided by those who come after."""
        run = _run.get()
        if run is not None:
            run.error = exception

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        """End the span of a run, hooks and follow-ups included."""
        run = _run.get()
        if run is None:
            return
        _run.set(None)
        if isinstance(message, Delivery) and message.outcome is not None:
            _tell_outcome(run, message.outcome)
        run.span.end()
        context.detach(run.token)

    after_nack = after_ack

    def _dispatch_failed(self, app: Flask, record: JobRecord) -> None:
        span = self._dispatches.get(record.id)
        if span is not None and record.error is not None:
            _tell_error(span, record.error)
            span.end()


def _id(message: Message[Any] | MessageProxy) -> str:
    return full_id(message.queue_name, message.message_id)


def _attributes(message: Message[Any] | MessageProxy, operation: str, kind: str) -> dict[str, str | int]:
    return {
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.system": "flask_queue",
        "messaging.destination.name": message.queue_name,
        "messaging.message.id": _id(message),
        "flask_queue.job.name": message.actor_name,
    }


def _tell_outcome(run: _Run, outcome: Outcome) -> None:
    name = "given_back" if isinstance(outcome, GivenBack) else type(outcome).__name__.lower()
    run.span.set_attribute("flask_queue.job.outcome", name)
    if isinstance(outcome, Failed) or (isinstance(outcome, Retried) and not isinstance(run.error, _NOT_FAILURES)):
        if run.error is not None:
            run.span.record_exception(run.error)
        _tell_error(run.span, outcome.error)


def _tell_error(span: Span, error: JobError) -> None:
    span.set_attribute("error.type", error.type)
    span.set_status(StatusCode.ERROR, f"{error.type}: {error.message}")
