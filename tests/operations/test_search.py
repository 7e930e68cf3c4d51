"""Searches by the public call: what is found, what is hidden, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue import Job, Queue, UnknownQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask_queue import FlaskQueue
    from tests.worker.conftest import Bench, MakeBench

QUEUES = [Queue("default", concurrency=2), Queue("emails", concurrency=1)]


class Mail(Job):
    max_retries = 0

    def handle(self, user_id: int, city: str = "", data: Any = None) -> None:
        if city == "Boom":
            raise ValueError(f"Müller has no “{city}”: {user_id}")

    @staticmethod
    def tags(user_id: int, city: str = "", data: Any = None) -> Sequence[str]:
        return ["vip", f"user:{user_id}"] if user_id > 100 else [f"user:{user_id}"]


class Other(Job):
    def handle(self) -> None:
        pass


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """An app with these jobs, and a plain actor."""
    bench = make_bench(Mail, Other, queues=QUEUES, QUEUE_REDACT="password")
    bench.queue.actor(queue_name="default")(plain)
    return bench


@pytest.fixture
def queue(bench: Bench) -> FlaskQueue:
    """Its extension."""
    return bench.queue


def plain(*args: Any, **kwargs: Any) -> None:
    """A plain actor."""


def found(extension: FlaskQueue, search: str = "", **more: Any) -> list[str]:
    """Full ids of all pages, in order."""
    ids, cursor = list[str](), None
    while True:
        page = extension.jobs(search=search, cursor=cursor, limit=3, **more)
        ids += [record.id for record in page.records]
        if (cursor := page.next_cursor) is None:
            return ids


def test_each_term_finds_its_jobs(bench: Bench, queue: FlaskQueue) -> None:
    """In any state; the indexes and the lists agree."""
    boom = Mail.options(job_id="boom").dispatch(101, "Boom").id
    bench.run_all()
    york = Mail.options(job_id="york-1", queue_name="emails").dispatch(42, "New York", {"plan": "Free"}).id
    late = Mail.options(job_id="york-2", delay_s=60).dispatch(102, "new york", [{"plan": "paid"}, 7]).id
    gone = queue.cancel(Other.dispatch().id).id
    actor = f"default:{queue.broker.get_actor('plain').send(7, user_id='42').message_id}"
    everything = [actor, york, late, boom, gone]
    [error] = [group.fingerprint for group in queue.failures()]
    expected: dict[str, list[str]] = {
        "": everything,
        "queue:emails": [york],
        "state:failed state:delayed": [late, boom],
        "name:Mail": [york, late, boom],
        "name:Other name:plain": [actor, gone],
        "name:Mai": [],
        "state:failed name:Mail": [boom],
        "state:cancelled name:Mail": [],
        "tag:vip": [late, boom],
        "tag:vip tag:user:101": [boom],
        "tag:vip state:delayed": [late],
        "tag:nobody": [],
        "error:valueerror": [boom],
        "error:MÜLLER": [boom],
        'error:"ValueError: müller has no “boom”: 101"': [boom],
        f"error:{error}": [boom],
        f"error:{error} name:Other": [],
        "error:000000000000": [],
        "id:york-1": [york],
        "id:emails:york-1": [york],
        "id:default:york-1": [],
        "id:york": [york, late],
        "id:york id:boom": [boom],
        "emails:york": [york],
        "id:york-1 state:failed": [],
        "args.user_id:42": [york, actor],
        "args.0:7": [actor],
        "args.data.plan:free": [york],
        "args.data.plan:paid": [late],
        "args.data.1:7": [late],
        'args.city:"new york"': [york, late],
        "args.city:york": [],
        "york": [york, late],
        '"new york" plan free': [york],
        "boom": [boom],
        "müller": [boom],
        "other": [gone],
    }
    results = {search: found(queue, search) for search in expected}
    # Those found by a tag's index come newest first.
    assert {search: sorted(ids) for search, ids in results.items()} == {
        search: sorted(ids) for search, ids in expected.items()
    }
    assert results[""] == everything


def test_arguments_and_search_add_up(bench: Bench, queue: FlaskQueue) -> None:
    """Both must be true; what contradicts itself finds nothing."""
    boom = Mail.dispatch(1, "Boom").id
    bench.run_all()
    waiting = Mail.dispatch(2).id
    assert found(queue, "args.user_id:1", state="failed", queue="default", name="Mail", error="no") == [boom]
    assert found(queue, "state:failed", state="waiting") == []
    assert found(queue, "name:Mail", name="Other") == []
    assert found(queue, "queue:emails", queue="default") == []
    assert found(queue, "", tag="user:2") == [waiting]
    assert found(queue, "", tag="user:2", error="no") == []


def test_what_is_hidden_is_not_searched(bench: Bench, queue: FlaskQueue) -> None:
    """Neither by argument nor by text, though what is next to it is."""
    job = Mail.dispatch(1, "Rome", {"password": "hunter2", "user": "hunter"}).id
    for search in ("hunter2", "args.data.password:hunter2", "unter2", '"r2"'):
        assert found(queue, search) == []
    for search in ("hunter", "args.data.user:hunter", "password", "args.data.password:•••"):
        assert found(queue, search) == [job]


def test_times(bench: Bench, queue: FlaskQueue) -> None:
    """Of finished jobs by their end, of others by their dispatch."""
    done = Mail.dispatch(1).id
    bench.run_all()
    waiting = Mail.dispatch(2).id
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert found(queue, since=now - hour, until=now + hour) == [waiting, done]
    assert found(queue, until=now - hour) == found(queue, since=now + hour) == []
    ended, created = queue.get(done).finished_at, queue.get(waiting).created_at
    assert ended is not None
    assert found(queue, since=ended, until=ended, state="completed") == [done]
    assert found(queue, since=created, until=created, state="waiting") == [waiting]
    assert found(queue, "args.user_id:1", since=ended + timedelta(microseconds=1)) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"search": "user:7"}, r"user: is no qualifier; there are queue:emails"),
        ({"search": 7}, "search=7.*give a text"),
        ({"search": "\ud800"}, "lone surrogate"),
        ({"tag": 5}, "tag=5.*give a text"),
        ({"name": b"x"}, "name=.*give a text"),
        ({"error": ValueError}, "error=.*give a text"),
        ({"since": datetime(2030, 1, 1)}, "since=.*with a time zone"),  # noqa: DTZ001
        ({"until": "2h"}, "until=.*with a time zone"),
        ({"limit": 0}, "limit=0"),
        ({"state": "broken"}, "give one of"),
    ],
    ids=str,
)
def test_wrong_conditions_are_errors(queue: FlaskQueue, wrong: dict[str, Any], message: str) -> None:
    """They name the argument, and say what to do."""
    with pytest.raises(ValueError, match=message):
        queue.jobs(**wrong)


def test_an_unknown_queue_is_an_error(queue: FlaskQueue) -> None:
    """As everywhere."""
    with pytest.raises(UnknownQueue):
        queue.jobs(queue="nope")
