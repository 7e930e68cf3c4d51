"""What is hidden in payloads."""

from __future__ import annotations

from typing import Any

import pytest

from flask_queue.config import REDACTED
from flask_queue.record import JobRecord, JobState
from flask_queue.redact import HIDDEN, hide_secrets, redact, redact_cut


@pytest.mark.parametrize(
    "key",
    [
        *REDACTED,
        "Password",
        "PASSWORD2",
        "userPassword",
        "password_hash",
        "apiKey",
        "APIKey",
        "apikey",
        "X-Api-Key",
        "user-token",
        "user token",
        "HTTPCookie",
        "cardNumber",
    ],
)
def test_a_key_with_a_secret_part_is_hidden(key: str) -> None:
    """Whole parts count, in any case and style."""
    assert redact({key: "x"}, REDACTED) == {key: HIDDEN}


@pytest.mark.parametrize("key", ["discard", "tokenize", "secretary", "passwords", "api", "key", "keyApi", "", "карта"])
def test_other_keys_are_shown(key: str) -> None:
    """A word inside of another one is no part."""
    assert redact({key: "x"}, REDACTED) == {key: "x"}


def test_secrets_are_hidden_at_any_depth() -> None:
    """Objects in arrays in objects; what stands under a secret key goes as a whole, whatever it is."""
    payload = {"a": [{"token": {"deep": 1}, "b": [None, {"cvv": 1}]}], "card": None}
    shown: Any = redact(payload, REDACTED)
    assert shown == {"a": [{"token": HIDDEN, "b": [None, {"cvv": HIDDEN}]}], "card": HIDDEN}
    assert payload["card"] is None, "the original is left alone"


def test_a_setting_replaces_the_list() -> None:
    """Also in other scripts, and with characters that mean something in patterns."""
    assert redact({"ПарольВхода": 1, "password": 2}, ["пароль"]) == {"ПарольВхода": HIDDEN, "password": 2}
    assert redact({"a": 1, "password": 2}, []) == {"a": 1, "password": 2}
    assert redact({"x": 1, "a.b": 2}, [".*", "--", "a.b"]) == {"x": 1, "a.b": HIDDEN}


@pytest.mark.timeout(10)
def test_a_huge_key_takes_no_time() -> None:
    """A payload that a stranger has made must not hang the page that shows it."""
    key = "a_" * 100_000
    assert redact({key: 1}, REDACTED) == {key: 1}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"user":7,"tex', '{"user":7,"tex'),
        ('{"token": "s3cr', '{"token": •••'),
        (r'{"a":"\"","tok\u0065n":"s3cr', r'{"a":"\"","tok\u0065n": •••'),
        ('{"a":[{"userToken":1},{"b', '{"a":[{"userToken": •••'),
        (r'{"bad\x":1,"card":2', r'{"bad\x":1,"card": •••'),
    ],
)
def test_cut_json_ends_at_its_first_secret(text: str, shown: str) -> None:
    """Whatever comes before it is shown."""
    assert redact_cut(text, ["token", "card"]) == shown


@pytest.mark.timeout(20)
@pytest.mark.parametrize("end", ["", "\\"], ids=["in a text", "in an escape"])
def test_a_text_of_quotes_takes_no_time(end: str) -> None:
    """Where the cut is inside of it, no quote is the beginning of anything. Each was once tried: a minute for these."""
    text = '{"token_count":"' + '\\"' * 32_000 + end
    assert redact_cut(text, ["card"]) == text


def test_an_excerpt_of_a_payload_ends_at_the_first_secret() -> None:
    """As any text that was cut."""
    excerpt = '{"user":1,"token":"abc","more":'
    record = JobRecord("q:a", "Job", "q", JobState.WAITING, {}, payload_excerpt=excerpt)
    assert hide_secrets(record, REDACTED).payload_excerpt == '{"user":1,"token": •••'
    assert hide_secrets(JobRecord("q:a", "Job", "q", JobState.WAITING, {}), REDACTED).payload_excerpt is None
