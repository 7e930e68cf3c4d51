"""Whatever is declared or configured: what is wrong is a ConfigError that lists it, or is refused where it is made."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_queue import Backoff, FlaskQueue, Job, Queue, RateLimit
from flask_queue.config import Config
from tests.properties.odd import BOUNDED, ODD, TEXTS, arguments, only_contract_errors

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = [
    *(f"QUEUE_{field.name.upper()}" for field in fields(Config) if field.metadata),
    *(
        "QUEUES",
        "QUEUE_REDIS_URL",
        "REDIS_URL",
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_USERNAME",
        "REDIS_PASSWORD",
        "REDIS_DB",
    ),
]
ATTRIBUTES = (
    *("name", "queue_name", "max_retries", "backoff", "timeout_s", "priority", "unique_for_s", "max_age_s"),
    *("retry_on", "fail_on", "unique_by", "after_commit"),
)
#: An environment holds no null bytes, and what a process cannot decode comes as surrogates.
VARIABLES = TEXTS.filter(lambda text: "\x00" not in text and text.encode("utf-8", "ignore").decode() == text)


def is_hashable(value: Any) -> bool:
    return value.__hash__ is not None


def make(**config: Any) -> None:
    app = Flask("app")
    app.config.update(config)
    FlaskQueue(app)


@pytest.mark.parametrize("key", KEYS)
@given(value=ODD)
@settings(BOUNDED, max_examples=40)
def test_any_setting(key: str, value: Any) -> None:
    """In app.config."""
    with only_contract_errors():
        make(**{key: value})


@pytest.mark.parametrize("key", [*KEYS, "QUEUE_CONCURRENCY_DEFAULT"])
@given(value=VARIABLES)
@settings(BOUNDED, max_examples=15)
def test_any_variable(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    """In the environment."""
    monkeypatch.setenv(key, value)
    with only_contract_errors():
        make()


@given(queues=st.dictionaries(st.one_of(TEXTS, ODD.filter(is_hashable)), ODD))
@settings(BOUNDED, max_examples=60)
def test_any_queues_setting(queues: dict[Any, Any]) -> None:
    with only_contract_errors():
        make(QUEUES=queues)


@given(
    queue=arguments({"name": False, "concurrency": True, "rate_limit": True, "max_running": True}),
    rate=st.one_of(st.none(), arguments({"limit": False, "per_s": False})),
)
@settings(BOUNDED, max_examples=150)
def test_any_queue(queue: dict[str, Any], rate: dict[str, Any] | None) -> None:
    if rate is not None:
        queue["rate_limit"] = RateLimit(**rate)
    with only_contract_errors():
        FlaskQueue(Flask("app"), queues=[Queue(**queue)])


@given(value=ODD)
@settings(BOUNDED, max_examples=60)
def test_anything_in_a_queues_or_a_jobs_place(value: Any) -> None:
    made: Callable[..., Any] = FlaskQueue
    with only_contract_errors():
        made(Flask("app"), queues=[value])
    with only_contract_errors():
        made(Flask("app"), jobs=[value])


@given(attributes=st.dictionaries(st.sampled_from(ATTRIBUTES), ODD, max_size=2))
@settings(BOUNDED, max_examples=200)
def test_any_attributes_of_a_job(attributes: dict[str, Any]) -> None:
    made = type("Made", (Job,), {"handle": lambda self: None, **attributes})
    with only_contract_errors():
        FlaskQueue(Flask("app"), jobs=[made])


@given(low=ODD, high=ODD)
@settings(BOUNDED, max_examples=150)
def test_any_back_off(low: Any, high: Any) -> None:
    with only_contract_errors():
        assert Backoff.exponential(low, high).delay_s(1) >= 0
    with only_contract_errors():
        assert Backoff.fixed(low).delay_s(1) >= 0
