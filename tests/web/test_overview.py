"""The overview: numbers, charts, and warnings that name a cause and the next step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue.admin.desk import Desk
from flask_queue.admin.pages.advice import advise
from flask_queue.current import current_broker
from flask_queue.record import MinuteMetrics
from flask_queue.store.survey import QueueSurvey, Survey

from .conftest import HOME, MakeApp, SendEmail, commands, post

if TYPE_CHECKING:
    import redis
    from flask import Flask
    from flask.testing import FlaskClient


def test_it_shows_how_many_jobs_are_in_each_state(visitor: FlaskClient) -> None:
    """Each number leads to those jobs."""
    SendEmail.dispatch_many([{"user_id": n} for n in range(1234)])
    SendEmail.options(delay_s=60).dispatch(user_id=1)
    page = visitor.get(HOME).text
    assert ">1,234</strong>" in page
    assert "/admin/queues/jobs/?state=delayed&amp;queue=emails" in page


def test_a_backlog_without_workers_is_an_error_with_the_command(visitor: FlaskClient) -> None:
    """Only where jobs wait: an idle queue needs nobody."""
    assert "no worker" not in visitor.get(HOME).text
    SendEmail.dispatch(user_id=1)
    page = visitor.get(HOME).text
    assert "emails has 1 job to run, and no worker." in page
    assert "flask queue work --queues emails" in page


def test_a_paused_queue_says_why_and_can_be_resumed(visitor: FlaskClient, app: Flask) -> None:
    """The reason is that of whoever paused it."""
    app.extensions["queue"].pause("emails", "the <mail> server is down")
    page = visitor.get(HOME).text
    assert "the &lt;mail&gt; server is down" in page
    assert "emails is resumed" in post(visitor, "queue/emails/resume").text
    assert app.extensions["queue"].paused() == {}


@pytest.mark.parametrize("span", ["1h", "24h", "7d", "nonsense", ""])
def test_the_time_that_is_shown_can_be_chosen(visitor: FlaskClient, span: str) -> None:
    """An unknown one shows an hour."""
    assert visitor.get(f"{HOME}?range={span}").status_code == 200


def test_redis_that_may_evict_jobs_is_told(visitor: FlaskClient, redis_client: redis.Redis) -> None:
    """Before anything is lost."""
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "eviction policy is allkeys-lru" in visitor.get(HOME).text
    finally:
        redis_client.config_set("maxmemory-policy", "noeviction")


def step(minute: int, completed: int = 0, failed: int = 0) -> MinuteMetrics:
    """What happened in a minute."""
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minute)
    return MinuteMetrics(at, 0, completed, failed, 0, None, None)


def advice(app: Flask, *steps: MinuteMetrics, **queue: Any) -> list[str]:
    """What an operator is told."""
    counts = dict.fromkeys(("waiting", "delayed", "active", "completed", "failed", "cancelled"), 0) | queue.pop(
        "counts", {}
    )
    survey = Survey([QueueSurvey("emails", counts, queue.get("oldest_wait_ms"), None, steps)], steps)
    return [each.message for each in advise(Desk(current_broker(), "me", can_change=True), survey, [])]


def test_a_jump_of_the_failure_rate_is_told(app: Flask) -> None:
    """Against the time before; steady failures, and a few of them, are no news."""
    calm = [step(n, completed=100, failed=1) for n in range(10)]
    assert advice(app, *calm, step(10, completed=50, failed=50)) != []
    assert advice(app, *calm, step(10, completed=100, failed=1)) == []
    assert advice(app, *calm, step(10, completed=1, failed=3)) == []
    steady = [step(n, completed=50, failed=50) for n in range(12)]
    assert advice(app, *steady) == []


def test_ten_queues_take_few_commands(make_app: MakeApp, redis_client: redis.Redis) -> None:
    """One script a queue, the workers, the server's memory; over a week as over an hour."""
    visitor = make_app(QUEUES={f"q{n}": 1 for n in range(8)}).test_client()
    visitor.get(HOME)
    assert commands(redis_client, lambda: visitor.get(f"{HOME}?range=7d")) == {"EVALSHA": 11, "INFO": 1}
