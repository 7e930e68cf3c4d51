"""What Prometheus reads of the queues."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from flask_queue.current import current_broker
from flask_queue.metrics import CONTENT_TYPE, Gauge, _lines, exposition
from flask_queue.monitor import Monitor
from flask_queue.store.roster import Shown
from flask_queue.versions import installed
from flask_queue.worker import Worker
from tests.support import wait_until

from .conftest import HOME, MakeApp, SendEmail
from .test_access import basic

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient
    from redis import Redis

    from flask_queue import FlaskQueue

PAGE = f"{HOME}metrics"


def read(text: str) -> dict[str, float]:
    """Each sample by its name and label values, as Prometheus's own parser reads them."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            found[" ".join([sample.name.removeprefix("flask_queue_"), *sample.labels.values()])] = sample.value
    return found


def scraped(visitor: FlaskClient) -> dict[str, float]:
    """What a scrape brings."""
    return read(visitor.get(PAGE).text)


def test_the_answer_has_prometheus_s_own_type(visitor: FlaskClient) -> None:
    """Of its text format; caches keep none of it."""
    answer = visitor.get(PAGE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, CONTENT_TYPE)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.endswith("\n")


def test_jobs_waits_and_pauses_are_told(visitor: FlaskClient, app: Flask) -> None:
    """Of each queue, zeros too."""
    queue: FlaskQueue = app.extensions["queue"]
    SendEmail.dispatch_many([{"user_id": number} for number in range(3)])
    SendEmail.options(delay_s=60).dispatch(user_id=4)
    queue.pause("default")
    found = scraped(visitor)
    assert (found["jobs emails waiting"], found["jobs emails delayed"], found["jobs default failed"]) == (3, 1, 0)
    assert (found["paused default"], found["paused emails"]) == (1, 0)
    assert found["oldest_wait_seconds default"] == 0
    assert 0 <= found["oldest_wait_seconds emails"] < 30
    assert found[f"info {installed('flask-queue')}"] == 1


def test_workers_and_threads_are_told(visitor: FlaskClient) -> None:
    """How many there are, how many are busy, how many of their runs are overdue."""
    broker = current_broker()
    assert scraped(visitor)["workers"] == 0
    runs = [("emails", "a", "SendEmail", 10, 1000), ("emails", "b", "SendEmail", 9000, 1000)]
    for worker, running in (("w1", runs), ("w2", [])):
        shown = Shown("web1", 7, "1", {"emails": 4, "default": 2}, 10, 1, running)
        broker.store.roster.report(broker.store.client, worker, shown, lease_ms=15_000)
    found = scraped(visitor)
    assert found["workers"] == 2
    assert (found["threads emails"], found["threads default"]) == (8, 4)
    assert (found["busy_threads emails"], found["busy_threads default"]) == (2, 0)
    assert (found["overdue_runs emails"], found["overdue_runs default"]) == (1, 0)


def test_the_last_whole_minute_is_told(visitor: FlaskClient, redis_client: Redis) -> None:
    """What happened in it, and how long it took; the minute that goes on is not over, so it does not count."""

    def work() -> dict[str, float]:
        SendEmail.dispatch_many([{"user_id": number} for number in (1, 2, 13)])
        worker = Worker(current_broker(), is_burst=True)
        worker.start()
        assert worker.join(20)
        assert worker.stop()
        return scraped(visitor)

    def a_minute_later() -> dict[str, float]:
        key = current_broker().store.transitions.keys("emails")["minute"]
        redis_client.hset(key, "at", minute_of(redis_client) - 1)
        found = scraped(visitor)
        return found if found["last_minute_jobs emails completed"] else {}

    assert within_a_minute(redis_client, work)["last_minute_jobs emails completed"] == 0
    found = wait_until(a_minute_later, what="the minute is over")
    events = ("dispatched", "completed", "failed", "retried")
    assert [found[f"last_minute_jobs emails {event}"] for event in events] == [3, 2, 1, 0]
    for name in ("runtime", "wait"):
        spread = [found[f"last_minute_{name}_seconds emails {quantile}"] for quantile in ("0.5", "0.95", "0.99")]
        assert spread == sorted(spread)
        assert spread[-1] < 20
        assert f"last_minute_{name}_seconds default 0.5" not in found


def within_a_minute(client: Redis, act: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What this returns when it began and ended in one minute of Redis's clock; what another try left is gone."""
    while True:
        began = minute_of(client)
        found = act()
        if minute_of(client) == began:
            return found
        client.flushdb()


def minute_of(client: Redis) -> int:
    """The minute by Redis's clock."""
    return int(client.time()[0]) // 60


def test_labels_are_escaped() -> None:
    """Names of queues need none of it, other labels may."""
    text = "\n".join(_lines(Gauge("odd", "Odd.", [({"queue": 'a"b\\c\nd'}, 0.5)]))) + "\n"
    assert read(text) == {'odd a"b\\c\nd': 0.5}
    assert text.count("\n") == 3


@pytest.mark.parametrize("access", ["read", "full"])
def test_whoever_may_look_may_scrape(make_app: MakeApp, access: str) -> None:
    """It changes nothing."""
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: access)
    assert app.test_client().get(PAGE).status_code == 200


def test_nobody_else_may(make_app: MakeApp) -> None:
    """The rule is that of all pages: Prometheus has HTTP Basic for it."""
    app = make_app(QUEUE_DASHBOARD_USERNAME="ann", QUEUE_DASHBOARD_PASSWORD="hush")
    visitor = app.test_client()
    assert visitor.get(PAGE).status_code == 401
    assert visitor.get(PAGE, headers=basic("ann", "hush")).status_code == 200
    assert make_app(TESTING=False).test_client().get(PAGE).status_code == 403


def test_redis_away_is_a_scrape_that_failed(make_app: MakeApp) -> None:
    """No zeros, which would look like an empty queue."""
    assert make_app(QUEUE_REDIS_URL="redis://127.0.0.1:1/0").test_client().get(PAGE).status_code == 503


def test_a_scrape_takes_two_round_trips(app: Flask, redis_client: Redis) -> None:
    """However many queues there are."""
    monitor = Monitor(current_broker())
    exposition(monitor)
    before = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]
    exposition(monitor)
    assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 3


def test_every_gauge_is_documented(visitor: FlaskClient) -> None:
    """By its name, in the table of the page about the dashboard."""
    page = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text()
    documented = set(re.findall(r"^\| `(flask_queue_\w+)`", page, re.MULTILINE))
    assert documented == set(re.findall(r"^# TYPE (\w+) gauge$", visitor.get(PAGE).text, re.MULTILINE))
