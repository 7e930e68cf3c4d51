"""Every change by an operator is logged, and kept in the audit trail."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue import Job, JobNotFound, JobStateError, QueueUnavailable
from flask_queue.operations import Operations
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask_queue import FlaskQueue
    from tests.worker.conftest import Bench, MakeBench

LATER = datetime(2035, 1, 31, 12, 0, tzinfo=UTC)


class Boom(Job):
    max_retries = 0

    def handle(self, number: int = 0) -> None:
        raise ValueError("no such user")


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """An app with this job."""
    return make_bench(Boom)


@pytest.fixture
def queue(bench: Bench) -> FlaskQueue:
    """Its extension."""
    return bench.queue


def trail(queue: FlaskQueue) -> list[tuple[str, str, dict[str, Any]]]:
    """What was done, oldest first."""
    return [(entry.action, entry.target, dict(entry.details)) for entry in reversed(queue.audit().entries)]


def test_every_action_is_kept(bench: Bench, queue: FlaskQueue) -> None:
    """What, to which job or queue, and what else there is to say."""
    failed = Boom.dispatch()
    bench.run_all()
    job, gone = Boom.options(delay_s=60).dispatch(), Boom.dispatch()
    queue.reschedule(job.id, LATER)
    queue.promote(job.id)
    queue.cancel(job.id)
    queue.retry(job.id)
    queue.delete(gone.id)
    copy = queue.duplicate(failed.id)
    queue.retry_all(name="Boom", error="ValueError")
    queue.pause("default", "mail server moves")
    queue.resume("default")
    queue.clean("default", state="waiting", older_than_s=0, limit=2)
    assert trail(queue) == [
        ("reschedule", job.id, {"at": LATER.isoformat()}),
        ("promote", job.id, {}),
        ("cancel", job.id, {"was": "waiting"}),
        ("retry", job.id, {}),
        ("delete", gone.id, {}),
        ("duplicate", failed.id, {"new": copy.id}),
        ("retry_all", "*", {"count": 1, "name": "Boom", "error": "ValueError"}),
        ("pause", "default", {"reason": "mail server moves"}),
        ("resume", "default", {}),
        ("clean", "default", {"count": 2, "state": "waiting"}),
    ]
    newest = queue.audit(1)
    assert [entry.action for entry in newest.entries] == ["clean"]
    assert [entry.action for entry in queue.audit(1, newest.next_cursor).entries] == ["resume"]
    assert datetime.now(UTC) - newest.entries[0].at < timedelta(seconds=20)


def test_what_changed_nothing_is_not_kept(bench: Bench, queue: FlaskQueue) -> None:
    """Refusals, repetitions, and bulk actions that found nothing."""
    job = Boom.dispatch()
    queue.cancel(job.id)
    queue.cancel(job.id)
    with pytest.raises(JobStateError):
        queue.promote(job.id)
    with pytest.raises(JobNotFound):
        queue.delete("default:nope")
    queue.resume("default")
    queue.retry_all()
    queue.clean("default", state="failed")
    queue.paused()
    assert trail(queue) == [("cancel", job.id, {"was": "waiting"})]


def test_who_did_it_is_kept(bench: Bench, queue: FlaskQueue) -> None:
    """None for code, else whoever the page or command says."""
    queue.pause("default")
    Operations(bench.broker, actor="ada").resume("default")
    assert [entry.actor for entry in queue.audit().entries] == ["ada", None]


def test_every_action_is_logged(bench: Bench, queue: FlaskQueue, caplog: pytest.LogCaptureFixture) -> None:
    """On one line, by a logger of its own, whatever the words hold."""
    with caplog.at_level(logging.INFO, logger="flask_queue.audit"):
        Operations(bench.broker, actor="ada").pause("default", "a\nb")
        queue.resume("default")
        Operations(bench.broker, actor="eve\nINFO").pause("default")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", 'pause default by ada {"reason": "a\\nb"}'),
        ("INFO", "resume default by code {}"),
        ("INFO", r"pause default by 'eve\nINFO' {}"),
    ]


def test_an_action_stands_where_the_trail_cannot_be_kept(
    bench: Bench, queue: FlaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """It was made: its caller is told so, and the log says what is missing."""
    bench.broker.store.client.set("flask-queue:audit", "not a stream")
    queue.pause("default")
    assert queue.paused() == {"default": ""}
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.name == "flask_queue.audit"
    assert "pause default was done, but is missing in the audit trail" in warning.getMessage()


def test_a_bulk_action_that_breaks_off_is_kept_as_far_as_it_got(
    bench: Bench, queue: FlaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made again, it does the rest."""
    jobs = Boom.dispatch_many([{"number": number} for number in range(600)])
    actions = bench.broker.store.actions
    delete, calls = actions.delete, []

    def once(*args: Any, **kwargs: Any) -> list[str]:
        calls.append(args)
        if len(calls) > 1:
            raise QueueUnavailable("it went away")
        return delete(*args, **kwargs)

    monkeypatch.setattr(type(actions), "delete", lambda self, *args, **kwargs: once(*args, **kwargs))
    with pytest.raises(QueueUnavailable):
        queue.clean("default", state="waiting")
    monkeypatch.undo()
    assert trail(queue) == [("clean", "default", {"count": 256, "state": "waiting"})]
    assert queue.clean("default", state="waiting") == len(jobs) - 256


def test_redis_away_is_an_error_of_ours(make_bench: MakeBench) -> None:
    """From every call, in time."""
    with RedisServer() as server:
        queue = make_bench(Boom, url=server.url).queue
        job = Boom.dispatch()
        server.kill()
        calls: list[Callable[[], object]] = [
            lambda: queue.cancel(job.id),
            lambda: queue.promote(job.id),
            lambda: queue.reschedule(job.id, LATER),
            lambda: queue.delete(job.id),
            lambda: queue.duplicate(job.id),
            lambda: queue.retry(job.id),
            queue.retry_all,
            lambda: queue.clean("default", state="delayed"),
            lambda: queue.pause("default"),
            lambda: queue.resume("default"),
            queue.paused,
            queue.audit,
            lambda: queue.oldest_wait_ms("default"),
        ]
        for call in calls:
            with pytest.raises(QueueUnavailable):
                call()
