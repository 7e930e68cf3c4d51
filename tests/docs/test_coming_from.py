"""What the page says of our side is so: settings, defaults, options of a job, Dramatiq's own numbers."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

from dramatiq.brokers import redis as stock
from dramatiq.middleware import retries

from flask_queue import Job, Retry
from flask_queue.config import Config
from flask_queue.options import make_options

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "coming-from.md").read_text()
OURS = Config()


def test_settings_exist() -> None:
    """Each that is named."""
    keys = {f"QUEUE_{field.name.upper()}" for field in fields(Config)}
    assert set(re.findall(r"QUEUE_[A-Z_]+", PAGE)) <= keys


def test_defaults_are_ours() -> None:
    """Where the page tells a number, it is the configuration's."""
    assert f"`timeout_s`, {OURS.timeout_s:g} s" in PAGE
    assert f"a lease of {OURS.lease_s:g} s, failed after more than three losses" in PAGE
    assert (OURS.max_retries, OURS.max_recoveries) == (3, 3)
    assert f"for a day and the newest {OURS.keep_completed:,}" in PAGE
    assert f"{OURS.keep_failed_s / 86_400:g} days and the newest {OURS.keep_failed:,}" in PAGE
    assert OURS.keep_completed_s == 86_400


def test_options_exist() -> None:
    """What a job is told, and what `options` takes."""
    told = set(re.findall(r"(?<!_)options\((\w+)=", PAGE))
    assert told <= set(inspect.signature(make_options).parameters)
    assert {"delay_s"} <= set(inspect.signature(Retry).parameters)
    for name in ("timeout_s", "max_retries", "backoff", "retry_on", "fail_on", "max_age_s", "unique_for_s", "priority"):
        assert f"`{name}" in PAGE
        assert hasattr(Job, name) or name in Job.__annotations__, name


def test_dramatiqs_numbers() -> None:
    """Of the release that is installed, with which this is compared."""
    assert f"`max_retries={inspect.signature(retries.Retries).parameters['max_retries'].default}`" in PAGE
    assert f"`min_backoff={retries.DEFAULT_MIN_BACKOFF:_}`" in PAGE
    assert stock.DEFAULT_HEARTBEAT_TIMEOUT == 60_000
    assert stock.DEFAULT_DEAD_MESSAGE_TTL == 7 * 86_400_000
