"""What Prometheus reads of the queues."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from flask_queue.current import current_broker
from flask_queue.metrics import BUCKETS, CONTENT_TYPE, Family, _lines, exposition
from flask_queue.monitor import Monitor
from flask_queue.store.roster import Shown
from flask_queue.versions import installed
from flask_queue.worker import Worker

from .conftest import HOME, MakeApp, SendEmail
from .test_access import basic

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from redis import Redis

    from flask_queue import FlaskQueue

PAGE = f"{HOME}metrics"


def read(text: str) -> dict[str, float]:
    """Each sample by its name and label values, as Prometheus's own parser reads them."""
    found = {}
    for family in text_string_to_metric_families(text):
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


def test_what_happened_is_counted_for_good(visitor: FlaskClient, redis_client: Redis) -> None:
    """Counters and histograms go on from minute to minute."""
    minute = current_broker().store.transitions.keys("emails")["minute"]
    events = ("jobs_dispatched", "jobs_completed", "jobs_failed", "runs_retried")
    for rounds in (1, 2):
        SendEmail.dispatch_many([{"user_id": number} for number in (1, 2, 13)])
        worker = Worker(current_broker(), is_burst=True)
        worker.start()
        assert worker.join(20)
        assert worker.stop()
        found = scraped(visitor)
        assert [found[f"{event}_total emails"] for event in events] == [3 * rounds, 2 * rounds, rounds, 0]
        for name in ("runtime", "wait"):
            buckets = [value for key, value in found.items() if key.startswith(f"{name}_seconds_bucket emails ")]
            assert buckets == sorted(buckets)
            assert buckets[-1] == found[f"{name}_seconds_count emails"] == 3 * rounds
            assert 0 <= found[f"{name}_seconds_sum emails"] < 60
            assert found[f"{name}_seconds_count default"] == 0
        redis_client.hincrby(minute, "at", -1)
    assert all(found[key] == 0 for key in found if key.endswith("_total default"))


def test_names_and_types_follow_prometheus_s_conventions(visitor: FlaskClient) -> None:
    """Counters end in `_total` and nothing else does; times are in seconds; buckets are cumulative up to infinity."""
    families = list(text_string_to_metric_families(visitor.get(PAGE).text))
    types = {family.name: family.type for family in families}
    assert set(types.values()) == {"gauge", "counter", "histogram"}
    for family in families:
        assert re.fullmatch(r"flask_queue(_[a-z]+)+", family.name)
        assert not re.search("_(ms|milliseconds|total|count|sum|bucket)$", family.name)
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            assert all(re.fullmatch("[a-z]+", label) for label in sample.labels)
        if family.type == "histogram":
            bounds = [each.labels["le"] for each in family.samples if each.name.endswith("_bucket")]
            ours = bounds[: len(BUCKETS) + 1]
            assert bounds == ours * (len(bounds) // len(ours))
            assert ours[-1] == "+Inf"
            assert [*map(float, ours)] == sorted(map(float, ours))
            assert family.name.endswith("_seconds")


def test_labels_are_escaped() -> None:
    """Names of queues need none of it, other labels may."""
    text = "\n".join(_lines(Family("odd", "Odd.", [("", {"queue": 'a"b\\c\nd'}, 0.5)]))) + "\n"
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
    """However many queues there are: their scripts go together, and that of the workers."""
    monitor = Monitor(current_broker())
    exposition(monitor)
    before = redis_client.info()
    exposition(monitor)
    after = redis_client.info()
    # One read is the first look's answer being asked for.
    assert after["total_reads_processed"] - before["total_reads_processed"] - 1 == 2


def test_every_metric_is_documented(visitor: FlaskClient) -> None:
    """By its name, type and labels, in the table of the page about monitoring."""
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| `(flask_queue_\w+)` \| (\w+) \|([\w, ]*)\|", page, re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    told = {}
    for family in text_string_to_metric_families(visitor.get(PAGE).text):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        told[f"{family.name}_total" if family.type == "counter" else family.name] = (family.type, labels)
    assert documented == told
