"""Dramatiq's Prometheus middleware, on our broker and worker."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flask_queue.current import broker_of
from tests.broker.metrics_worker import make_app


def test_prometheus_counts_what_a_worker_does(redis_url: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Runs, errors, retries and rejected messages, as with Dramatiq's own workers, beside our own metrics."""
    app = make_app(redis_url)
    broker = broker_of(app)
    for name in ("succeed", "succeed", "fail"):
        broker.get_actor(name).send()
    broker.close()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.broker.metrics_worker", redis_url],
        env={**os.environ, "dramatiq_prom_db": str(tmp_path), "PYTHONPATH": str(pytestconfig.rootpath)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=True,
    )
    assert 'flask_queue_jobs_completed_total{queue="default"} 2' in ended.stdout.splitlines()
    assert list(text_string_to_metric_families(ended.stdout))
    counted = [line for line in ended.stdout.splitlines() if line.startswith("dramatiq_message")]
    labels = '{actor_name="%s",queue_name="default"} %s'
    for expected in (
        "dramatiq_messages_total" + labels % ("succeed", "2.0"),
        "dramatiq_messages_total" + labels % ("fail", "2.0"),
        "dramatiq_message_errors_total" + labels % ("fail", "2.0"),
        "dramatiq_message_retries_total" + labels % ("fail", "1.0"),
        "dramatiq_message_rejects_total" + labels % ("fail", "1.0"),
        "dramatiq_message_duration_milliseconds_count" + labels % ("succeed", "2.0"),
    ):
        assert expected in counted


def test_prometheus_keeps_quiet_where_nothing_runs(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A web process dispatches, delayed or not, without a gauge for what its workers hold."""
    app = make_app(redis_url)
    broker = broker_of(app)
    with caplog.at_level(logging.WARNING):
        broker.get_actor("succeed").send()
        broker.get_actor("succeed").send_with_options(delay=1000)
    broker.close()
    assert caplog.messages == []
