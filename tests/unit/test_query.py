"""Which jobs a query matches, and that what Redis looks for beforehand never hides one of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dramatiq import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flask_queue.query import Query, fold
from flask_queue.record import JobError, JobRecord, JobState
from flask_queue.redact import hide_secrets
from flask_queue.store.codec import pack
from flask_queue.store.prefilter import Needle, folds, needles

CITY = {"user_id": 42, "city": "New York", "paid": True, "note": None, "user": {"plan": "Free", "a.b": 1.5}}
#: What case or JSON treat in some special way.
SPECIAL = 'aAkKsS iIß\u1e9e\u03a3\u03c2\u03c3\u017f\u0130\u0131\u212aéÉ":\\/\n\x1f\x7f.0,{}[]'
LETTERS = st.text(st.sampled_from(SPECIAL), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | LETTERS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LETTERS, inner, max_size=3),
    max_leaves=6,
)


def job(payload: Any = None, error: JobError | None = None) -> JobRecord:
    """A job's record."""
    return JobRecord("emails:x5Yq", "SendWelcomeEmail", "emails", JobState.FAILED, payload or {}, error=error)


@pytest.mark.parametrize(
    ("path", "value", "matches"),
    [
        *(("user_id", value, value == "42") for value in ("42", "4", "42.0", "")),
        *(("city", value, value != "york") for value in ("New York", "new york", "york")),
        *(("paid", value, value in ("true", "TRUE")) for value in ("true", "TRUE", "false", "1")),
        ("note", "null", True),
        ("note", "", False),
        ("user.plan", "free", True),
        ("user", "free", False),
        ("user.a.b", "1.5", True),
        ("plan", "free", False),
        ("User_id", "42", False),
    ],
)
def test_arguments_are_found_by_path_and_value(path: str, value: str, matches: bool) -> None:
    """A value is whole, its case does not matter; numbers, true, false and null are as JSON writes them."""
    assert Query(args=((path, value),)).matches(job(CITY)) is matches


@pytest.mark.parametrize(
    ("path", "value", "matches"),
    [
        ("lines.sku", "b", True),
        ("lines.0.sku", "a", True),
        ("lines.0.sku", "b", False),
        ("lines.9999999999999999999999.sku", "b", False),
        ("tags", "red", True),
        ("tags.1", "blue", True),
        ("tags.0", "blue", False),
        ("empty", "", False),
    ],
)
def test_a_list_is_searched_item_by_item(path: str, value: str, matches: bool) -> None:
    """Unless the path has a number."""
    payload = {"lines": [{"sku": "a"}, {"sku": "b"}], "tags": ["red", "blue"], "empty": []}
    assert Query(args=((path, value),)).matches(job(payload)) is matches


@pytest.mark.parametrize("path", ["0", "user_id", "args.0", "kwargs.user_id"])
def test_a_plain_actors_arguments_are_found(path: str) -> None:
    """By their name or number, with or without what they are a part of."""
    assert Query(args=((path, "7"),)).matches(job({"args": [7], "kwargs": {"user_id": 7}}))
    assert not Query(args=((path, "8"),)).matches(job({"args": [7], "kwargs": {"user_id": 7}}))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        *(
            (text, True)
            for text in ("x5y", "welcome", "city", "NEW", "w y", "42", "1.5", "true", "valueerror: no", "USER")
        ),
        *((text, False) for text in ("emails", "new  york", '"city"', "traceback", "secret")),
    ],
)
def test_a_text_is_found_everywhere(text: str, matches: bool) -> None:
    """In id, name, error, and in each key and value of the payload; not across them, nor in the traceback."""
    record = job(CITY, JobError("ValueError", "no such user", "Traceback: secret"))
    assert Query(texts=(text,)).matches(record) is matches


def test_an_error_is_found_by_its_parts() -> None:
    """Of type and message, all that are asked for."""
    record = job(error=JobError("smtplib.SMTPError", "Timeout: 5 s"))
    assert Query(errors=("smtp", "timeout: 5", "error: time")).matches(record)
    assert not Query(errors=("smtp", "refused")).matches(record)
    assert not Query(errors=("smtp",)).matches(job())


def test_secrets_are_not_found() -> None:
    """Neither by path nor by text: what nobody sees nobody can guess letter by letter."""
    record = job({"user": {"api_key": "hunter2", "name": "hunter2x"}})
    hidden = hide_secrets(record, ["api_key"])
    assert Query(texts=("hunter2",)).matches(hidden)
    hidden = hide_secrets(job({"user": {"api_key": "hunter2"}}), ["api_key"])
    for query in (Query(texts=("hunter",)), Query(args=(("user.api_key", "hunter2"),))):
        assert not query.matches(hidden)
    assert Query(texts=("api_key",)).matches(hidden)


def test_folding_makes_no_ascii() -> None:
    """But of ASCII: Redis knows no other letters."""
    wrong = [chr(code) for code in range(128, 0x110000) if not 0xD800 <= code < 0xE000 and fold(chr(code)).isascii()]
    assert wrong == []


@given(payload=st.dictionaries(LETTERS, JSON, max_size=4), args=st.lists(JSON, max_size=2), data=st.data())
@settings(deadline=None)  # the first one collects the letters that have a case
@example({"\u0130\u212a": "x"}, [], None)
@example({}, [None], None)  # "k" is in no text of the user's
def test_what_redis_looks_for_is_in_all_that_matches(payload: dict[str, Any], args: list[Any], data: Any) -> None:
    """Whatever the text: the stored message, in lower case as Redis makes it, has each needle."""
    message: Message[Any] = Message("emails", "Actor", tuple(args), payload, {}, message_id="x5Yq")
    stored = pack(message).decode()
    shown = {"args": args, "kwargs": payload} if args else payload
    record = JobRecord("emails:_", "Actor", "emails", JobState.FAILED, shown)
    texts = sorted({text for text in json.dumps([payload, args], ensure_ascii=False).split('"') if text})
    text = data.draw(st.sampled_from(texts) | LETTERS) if data else "k"
    path = data.draw(st.sampled_from([*payload, "0"]) | LETTERS) if data else "i"
    for query in (Query(texts=(text,)), Query(args=((path, text),))):
        if query.matches(record):
            found = needles(query)
            assert all(_occurs(needle, stored, found) for needle in found if "m" in needle.where)


@given(type_=LETTERS, message=LETTERS, text=LETTERS, data=st.data())
def test_what_redis_looks_for_is_in_all_errors_that_match(type_: str, message: str, text: str, data: Any) -> None:
    """Also where the text goes over from the type into the message."""
    shown = f"{type_}: {message}"
    start = data.draw(st.integers(0, len(shown)))
    wanted = data.draw(st.sampled_from([text, shown[start:], shown[:start], shown[start : start + 3]]))
    query = Query(errors=(wanted,))
    assert query.matches(job(error=JobError(type_, message))) is (fold(wanted) in fold(shown))
    if query.matches(job(error=JobError(type_, message))):
        stored = json.dumps({"type": type_, "message": message}, ensure_ascii=False, separators=(",", ":"))
        found = needles(query)
        assert all(_occurs(needle, stored, found) for needle in found)


def test_needles_are_as_long_as_they_can_be() -> None:
    """So that few jobs have them; a text without a safe part has none."""
    args = (("user.city", 'Say "hello"'), ("3", "É"), ("args", '"'), ("user_ID", "42"), ("city", "•"))
    assert needles(Query(args=(("", "0"), ("0.", "1")))) == [(("0",), "m", "lower"), (("1",), "m", "lower")]
    found = needles(Query(texts=("Müllerstraße", "\n"), args=args, errors=("SMTPError: 5",)))
    assert [tuple(needle) for needle in found] == [
        (('city":"say \\"hello\\""', 'city":say "hello"', 'city":['), "m", "lower"),
        (('user_ID":"42"', 'user_ID":42', 'user_ID":['), "m", "exact"),
        (("smtperror",), "a", "lower"),
        (("llerstra",), "ima", "lower"),
        (('city":',), "m", "exact"),
        (("müllerstraße",), "ima", "folded"),
        (("é",), "m", "folded"),
    ]
    assert folds(found) == {"Ü": "ü", "ẞ": "ß", "É": "é"}


def test_every_letter_that_is_folded_is_known() -> None:
    """Those that the search for them leaves out have no case."""
    assert not [code for code in range(0x1F000, 0x110000) if fold(chr(code)) != chr(code)]


def _occurs(needle: Needle, text: str, found: list[Needle]) -> bool:
    """As Lua looks for it: it knows letters of ASCII, and those that it is told of."""
    if needle.how != "exact":
        text = text.encode().lower().decode()
    if needle.how == "folded":
        letters = folds(found)
        text = "".join(letters.get(letter, letter) for letter in text)
    return any(each in text for each in needle.texts)
