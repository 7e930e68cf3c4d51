"""OpenTelemetry's own SDK sees a request, its dispatches and the runs that follow as one trace."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from dramatiq import Middleware
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import messaging_attributes as messaging
from opentelemetry.trace import SpanKind, StatusCode

from flask_queue import Fail, Job, JobIdConflict, Queue, QueueUnavailable, Release, Retry
from flask_queue.tracing import CARRIER, Tracing
from tests.worker.conftest import MakeBench, make_bench, own_server

if TYPE_CHECKING:
    from tests.servers import RedisServer
    from tests.worker.conftest import Bench

__all__ = ["make_bench", "own_server"]  # fixtures


def mark(text: str) -> None:
    """Write on the span that is the current one."""
    trace.get_current_span().set_attribute("mark", text)


class Welcome(Job):
    """Ends as its payload says."""

    queue_name = "emails"
    backoff = (0,)

    def handle(self, how: str) -> None:
        mark(how)
        match how, self.attempt, len(self.record.history):
            case "retried", 1, _:
                raise ValueError("no such user")
            case "asked", 1, _:
                raise Retry(delay_s=0)
            case "failed", _, _:
                raise Fail("never")
            case "released", _, 0:
                raise Release(delay_s=0)

    def on_completed(self, result: object) -> None:
        if self.record.payload["how"] == "hooked":
            Note.dispatch()


class Note(Job):
    """Runs in the event loop."""

    async def handle(self) -> None:
        mark("in the loop")


class Traced:
    """A bench whose spans are kept."""

    def __init__(self, make: MakeBench, **config: Any) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        queues = [Queue("emails", concurrency=1), Queue("default")]
        self.bench: Bench = make(Welcome, Note, middleware=[self._middleware], queues=queues, **config)

    def spans(self, name: str) -> list[ReadableSpan]:
        """Those of this name, the oldest first."""
        found = [span for span in self._exporter.get_finished_spans() if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)

    def runs(self, how: str) -> list[tuple[Any, ...]]:
        """Attempt, outcome, whether it is an error, error type, and recorded events of the runs of such a job."""
        Welcome.dispatch(how)
        self.bench.run_all()
        runs = [span for span in self.spans("run Welcome") if attribute(span, "mark") == how]
        keys = ("flask_queue.job.attempt", "flask_queue.job.outcome", "error.type")
        return [(*(attribute(run, key) for key in keys), run.status.status_code.name, len(run.events)) for run in runs]

    def _middleware(self) -> Middleware:
        # The global provider can be set only once.
        return Tracing(self.provider)


@pytest.fixture
def traced(make_bench: MakeBench) -> Traced:
    """On the shared server."""
    return Traced(make_bench)


def attribute(span: ReadableSpan, key: str) -> object:
    """What a span has under a key."""
    return (span.attributes or {}).get(key)


def parent(span: ReadableSpan) -> int | None:
    """The id of a span's parent."""
    return span.parent.span_id if span.parent else None


def test_a_request_its_dispatch_and_the_runs_are_one_trace(traced: Traced) -> None:
    """With a retry, and with what a hook dispatches: each is the child of what led to it."""
    bench = traced.bench
    bench.app.add_url_rule("/sign-up", view_func=lambda: {"job": Welcome.dispatch("retried").id})
    FlaskInstrumentor().instrument_app(bench.app, tracer_provider=traced.provider)
    job: Any = bench.app.test_client().get("/sign-up").json
    bench.run_all()
    [request], [dispatch] = traced.spans("GET /sign-up"), traced.spans("dispatch Welcome")
    runs = traced.spans("run Welcome")
    assert {span.context.trace_id for span in (request, dispatch, *runs) if span.context} == {request.context.trace_id}
    assert parent(dispatch) == request.context.span_id
    assert [parent(run) for run in runs] == [dispatch.context.span_id] * 2
    assert [link.context.span_id for run in runs for link in run.links] == [dispatch.context.span_id] * 2
    assert (dispatch.kind, runs[0].kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    for span, operation, kind in ((dispatch, "dispatch", "SEND"), (runs[1], "run", "PROCESS")):
        assert attribute(span, messaging.MESSAGING_SYSTEM) == "flask_queue"
        assert attribute(span, messaging.MESSAGING_DESTINATION_NAME) == "emails"
        assert attribute(span, messaging.MESSAGING_MESSAGE_ID) == job["job"]
        assert attribute(span, messaging.MESSAGING_OPERATION_NAME) == operation
        wanted = messaging.MessagingOperationTypeValues[kind].value
        assert attribute(span, messaging.MESSAGING_OPERATION_TYPE) == wanted
        assert attribute(span, "flask_queue.job.name") == "Welcome"


@pytest.mark.parametrize(
    ("how", "runs"),
    [
        ("fine", [(1, "completed", None, "UNSET", 0)]),
        ("retried", [(1, "retried", "ValueError", "ERROR", 1), (2, "completed", None, "UNSET", 0)]),
        ("asked", [(1, "retried", None, "UNSET", 0), (2, "completed", None, "UNSET", 0)]),
        ("failed", [(1, "failed", "Fail", "ERROR", 1)]),
        ("released", [(1, "released", None, "UNSET", 0), (1, "completed", None, "UNSET", 0)]),
    ],
)
def test_each_run_is_a_span_that_tells_its_end(traced: Traced, how: str, runs: list[tuple[Any, ...]]) -> None:
    """Errors are recorded; what a job asks for is none."""
    assert traced.runs(how) == runs


def test_what_a_run_leads_to_belongs_to_its_trace(traced: Traced) -> None:
    """A job that a hook dispatches; and in the event loop the run's span is the current one, too."""
    traced.runs("hooked")
    [run], [dispatch], [note] = (traced.spans(name) for name in ("run Welcome", "dispatch Note", "run Note"))
    assert parent(dispatch) == run.context.span_id
    assert parent(note) == dispatch.context.span_id
    assert attribute(note, "mark") == "in the loop"


def test_a_plain_actor_s_retry_belongs_to_its_dispatch(traced: Traced) -> None:
    """Dramatiq's own Retries sends a message again; that is no other job."""

    @traced.bench.queue.actor(max_retries=1, min_backoff=1, max_backoff=2)
    def fail() -> None:
        raise ValueError("no")

    fail.send()
    traced.bench.run_all()
    [dispatch] = traced.spans("dispatch fail")
    assert [parent(run) for run in traced.spans("run fail")] == [dispatch.context.span_id] * 2


def test_a_dispatch_that_fails_tells_why(make_bench: MakeBench, own_server: RedisServer) -> None:
    """Its span ends, and keeps nothing in memory; so does one that was refused."""
    traced = Traced(make_bench, url=own_server.url, QUEUE_DISPATCH_TIMEOUT_S=0.2)
    Welcome.options(job_id="a").dispatch("fine")
    with pytest.raises(JobIdConflict):
        Note.options(job_id="a", queue_name="emails").dispatch()
    own_server.stop()
    with pytest.raises(QueueUnavailable):
        Welcome.dispatch("fine")
    failed = traced.spans("dispatch Welcome")[1]
    assert failed.status.status_code is StatusCode.ERROR
    assert attribute(failed, "error.type") == "QueueUnavailable"
    # The errors hold what was sent.
    gc.collect()
    [middleware] = [each for each in traced.bench.broker.middleware if isinstance(each, Tracing)]
    assert not dict(middleware._dispatches)


def test_without_a_provider_nothing_is_sent_along(make_bench: MakeBench) -> None:
    """The API alone costs a job no byte."""
    bench = make_bench(Welcome, queues=[Queue("emails")], middleware=[Tracing])
    Welcome.dispatch("fine")
    [stored] = bench.broker.store.client.hvals(bench.broker.store.transitions.keys("emails")["jobs"])
    assert stored == b'Welcome\n{"how":"fine"}'
    bench.run_all()


def test_the_context_is_small(traced: Traced) -> None:
    """As W3C has it, and nothing besides."""
    Welcome.dispatch("fine")
    [stored] = traced.bench.broker.store.client.hvals(traced.bench.broker.store.transitions.keys("emails")["jobs"])
    assert f'"{CARRIER}":{{"traceparent":"00-'.encode() in stored
    assert len(stored) - len(b'Welcome\n{"how":"fine"}') <= 105
