"""What a shell offers at the Tab key: names that the app knows, and what Redis has, if it answers at once.

Whatever goes wrong, nothing is offered and nothing is said: a shell has no place for it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from queue import Empty, SimpleQueue
from threading import Thread

import click
from click.shell_completion import CompletionItem
from flask import Flask
from flask.cli import ScriptInfo

from ..current import broker_of
from ..monitor import Monitor
from ..query import Query
from ..record import JobRecord, JobState
from ..times import relative
from .reach import monitor
from .text import one_line

#: Seconds that Redis gets: who presses Tab goes on typing.
ANSWER_S = 0.5
#: Jobs, or groups of errors, among which to choose.
MOST = 20
#: Bytes that are read of a job: what is offered tells nothing of its payload.
CUT_BYTES = 256
#: Characters that are told of a thing, where the shell shows them.
HINT = 60

#: What click asks for what may be written for a parameter.
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def queue_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The app's queues; the `shell_complete` of a parameter."""
    app = _app(ctx)
    return _beginning(incomplete, broker_of(app).queues if app else ())


def queue_list(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The app's queues, after those that are there already, as in a,b."""
    chosen, comma, begun = incomplete.rpartition(",")
    return [chosen + comma + name for name in queue_names(ctx, param, begun) if name not in chosen.split(",")]


def job_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the app's Job classes; the `shell_complete` of a parameter."""
    app = _app(ctx)
    actors = broker_of(app).actors.items() if app else ()
    return _beginning(incomplete, (name for name, actor in actors if hasattr(actor, "job_class")))


def job_ids(*states: JobState) -> Complete:
    """Ids of jobs in these states, or in any, in the order of listings; a `shell_complete`."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        chosen = ctx.params.get(param.name or "") or ()

        def ask(jobs: Monitor) -> Iterator[CompletionItem]:
            ids = (incomplete,) if incomplete else None
            found = jobs.page(Query(states=states or None, ids=ids), limit=MOST, cut_bytes=CUT_BYTES).records
            for record in found:
                # Without the queue, unless that was begun: bash takes what is before a colon for a word of its own.
                local_id = record.id.partition(":")[2]
                offered = local_id if local_id.startswith(incomplete) else record.id
                if not {local_id, record.id} & set(chosen):
                    yield CompletionItem(offered, help=_hint(record))

        return _asked(ctx, ask)

    return complete


def worker_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The living worker processes; the `shell_complete` of a parameter."""
    return _asked(
        ctx,
        lambda jobs: (
            CompletionItem(worker.id, help=f"{worker.busy} busy, started {relative(worker.started_at)}")
            for worker in jobs.workers()
            if worker.id.startswith(incomplete)
        ),
    )


def error_groups(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The groups of `failures`, the largest first; the `shell_complete` of a parameter."""
    return _asked(
        ctx,
        lambda jobs: (
            CompletionItem(group.fingerprint, help=one_line(f"{group.count} × {group.type}: {group.message}", HINT))
            for group in jobs.failures()[:MOST]
            if group.fingerprint.startswith(incomplete)
        ),
    )


def _hint(record: JobRecord) -> str:
    moment = record.finished_at or record.started_at or record.scheduled_at or record.created_at
    parts = (record.name, record.state, moment and relative(moment), record.error and record.error.type)
    return one_line(" ".join(part for part in parts if part), HINT)


def _asked(ctx: click.Context, ask: Callable[[Monitor], Iterable[CompletionItem]]) -> list[CompletionItem]:
    """What a question to Redis gives within `ANSWER_S`, or else nothing."""
    app = _app(ctx)
    # An embedded server that does not run would be started for this. That of a running `dev` is found all the same.
    if app is None or broker_of(app).store.is_embedded:
        return []
    answers: SimpleQueue[list[CompletionItem]] = SimpleQueue()

    def look() -> None:
        with app.app_context():
            answers.put(list(ask(monitor())))

    with _silence():
        # On a thread, which is left behind: its time-outs are for people who wait.
        Thread(target=_unless_it_fails, args=(look,), daemon=True).start()
        try:
            return answers.get(timeout=ANSWER_S)
        except Empty:
            return []


def _unless_it_fails(look: Callable[[], None]) -> None:
    try:
        look()
    except Exception:
        return


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _app(ctx: click.Context) -> Flask | None:
    """The app, with jobs, if it can be loaded."""
    info = ctx.find_object(ScriptInfo)
    if info is None:
        return None
    try:
        with _silence():
            app = info.load_app()
            broker_of(app)
    except BaseException:
        # Whatever an app may raise, also SystemExit.
        return None
    return app


@contextmanager
def _silence() -> Iterator[None]:
    """What is printed would be taken for what to offer."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield
