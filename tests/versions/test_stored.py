"""What earlier releases have stored is read, worked on and finished by this one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue import JobState, JobStateError
from flask_queue.current import broker_of
from flask_queue.worker import Worker
from tests.store.checks import check_all
from tests.versions.stored import Send, dump, fill, make_app, restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from flask_queue import FlaskQueue

FORMATS = sorted(Path(__file__).parent.glob("stored-*.json"))


@pytest.fixture
def queue(redis_url: str) -> Iterator[FlaskQueue]:
    """The app that stored it, as it is now."""
    app, queue = make_app(redis_url)
    with app.app_context():
        yield queue
    broker_of(app).close()


def counted(*numbers: int) -> dict[str, int]:
    """Jobs by state: waiting, delayed, active, completed, failed, cancelled."""
    return dict(zip(map(str, JobState), numbers, strict=True))


def kinds(stored: dict[str, list[Any]]) -> dict[str, str]:
    """Key → type. What an error is called depends on where it was raised."""
    return {re.sub(r"(?<=:by:error:)\w+$", "…", key): kind for key, (kind, *_) in stored.items()}


@pytest.mark.parametrize("stored", FORMATS, ids=lambda path: path.stem)
def test_what_was_stored_is_read_and_run(stored: Path, queue: FlaskQueue, redis_client: Redis) -> None:
    """Each state as it was; what waits runs, what a dead worker had comes back, what failed can be retried."""
    restore(redis_client, json.loads(stored.read_text()))
    assert queue.counts()["mail"] == counted(3, 1, 1, 1, 1, 1)
    completed, failed = queue.get("mail:completed"), queue.get("mail:failed")
    assert (completed.result, completed.tags, completed.attempts) == ({"sent": 1}, ("user:1",), 1)
    assert queue.logs("mail:completed") != []
    assert failed.error is not None
    assert (failed.error.message, failed.payload["how"]) == ("no such user", "fail")
    assert [group.count for group in queue.failures()] == [1]
    assert [record.id for record in queue.jobs(tag="user:6").records] == ["mail:delayed"]
    assert queue.paused() == {"other": "moving"}
    assert Send.options(unique_for_s=60, unique_key="k").dispatch(user_id=5).id == "mail:unique"
    assert Send.options(job_id="waiting").dispatch(user_id=3).deduplicated
    with pytest.raises(JobStateError):
        queue.promote("mail:waiting")
    queue.promote("mail:delayed")
    queue.retry("mail:cancelled")
    worker = Worker(queue.broker, is_burst=True)
    worker.start()
    assert worker.join(20), "the burst does not end"
    worker.stop()
    assert queue.get("mail:lost").recoveries == 1
    assert queue.counts()["mail"] == counted(0, 0, 0, 7, 1, 0)
    check_all(redis_client, "flask-queue")


def test_the_newest_format_is_that_of_today(queue: FlaskQueue, redis_client: Redis) -> None:
    """A change of it is not made by accident: it needs a new file here, and the first lines of the changelog."""
    fill(queue)
    today = dump(redis_client)
    newest = json.loads(FORMATS[-1].read_text())
    assert kinds(today) == kinds(newest)
    for name, state in newest["{flask-queue:mail}:state"][1]:
        (now,) = [text for key, text in today["{flask-queue:mail}:state"][1] if key == name]
        assert len(now.split(" ")) == len(state.split(" ")), name
