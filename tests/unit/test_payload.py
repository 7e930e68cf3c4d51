"""Payloads are JSON, strictly; results are kept if JSON can hold them."""

from __future__ import annotations

import json
import logging
import uuid
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_queue.errors import InvalidPayload, PayloadTooLarge
from flask_queue.payload import MAX_DEPTH, check_payload, check_tags, encode_result, storable

MIB = 1 << 20
SURROGATE = "\udc80"


class Plan(StrEnum):
    FREE = "free"


class Level(IntEnum):
    LOW = 1


class Color(Enum):
    RED = (1,)


class Name(str):
    __slots__ = ()


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def fault(payload: dict[str, Any]) -> InvalidPayload:
    with pytest.raises(InvalidPayload) as caught:
        check_payload("Job", payload, max_bytes=MIB)
    return caught.value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_what_passes_survives_json_unchanged(payload: dict[str, Any]) -> None:
    """A payload that is accepted is the same after JSON, and in UTF-8."""
    check_payload("Job", payload, max_bytes=MIB)
    assert json.loads(json.dumps(payload, ensure_ascii=False).encode()) == payload


@pytest.mark.parametrize(
    ("payload", "path", "told"),
    [
        ({"user": {"created": datetime.now(UTC)}}, "$.user.created", "isoformat"),
        ({"items": [1, 2, 3, date(2024, 1, 1)]}, "$.items[3]", "isoformat"),
        ({"a": {"odd key": {1}}}, '$.a["odd key"]', "list()"),
        ({"a": [{"b": [b"x"]}]}, "$.a[0].b[0]", "decode it"),
        ({"a": (1, 2)}, "$.a", "list()"),
        ({"a": timedelta(1)}, "$.a", "total_seconds"),
        ({"a": Decimal(1)}, "$.a", "str()"),
        ({"a": uuid.uuid4()}, "$.a", "str()"),
        ({"a": Plan.FREE}, "$.a", ".value"),
        ({"a": Level.LOW}, "$.a", ".value"),
        ({"a": Color.RED}, "$.a", ".value"),
        ({"a": Name("x")}, "$.a", "str()"),
        ({"a": OrderedDict()}, "$.a", "dict()"),
        ({"a": object()}, "$.a", "identifier"),
        ({"a": float("nan")}, "$.a", "JSON has no nan"),
        ({"a": [float("-inf")]}, "$.a[0]", "JSON has no -inf"),
        ({"a": {7: 1}}, "$.a", "the key 7 is a int"),
        ({"a": {None: 1}}, "$.a", "the key None"),
        ({"a": SURROGATE}, "$.a", "surrogate"),
        ({"a": [{SURROGATE: 1}]}, "$.a[0]", "surrogate"),
        ({"a": 10**640}, "$.a", "640 digits"),
        ({"a": -(10**5000)}, "$.a", "640 digits"),
        ({"a": 1j}, "$.a", "complex"),
    ],
)
def test_what_json_cannot_hold_is_named(payload: dict[str, Any], path: str, told: str) -> None:
    """The error names the path, and what to pass instead."""
    error = fault(payload)
    assert (error.job, error.path) == ("Job", path)
    assert told in str(error)


def test_cycles_and_depth() -> None:
    """A payload that contains itself, or is too deep to be read back, is refused; the depth allowed is not."""
    cycle: dict[str, Any] = {}
    cycle["self"] = [cycle]
    assert "contains itself" in str(fault(cycle))
    assert fault({"a": nested(MAX_DEPTH)}).path.startswith("$.a[0][0]")
    check_payload("Job", {"a": nested(MAX_DEPTH - 1)}, max_bytes=MIB)


def test_the_same_value_twice_is_no_cycle() -> None:
    """One list in two places is fine: JSON holds it twice."""
    shared = [1]
    check_payload("Job", {"a": shared, "b": [shared, shared]}, max_bytes=MIB)


def test_size_counts_bytes_of_json() -> None:
    """The limit is in bytes of compact UTF-8 JSON; the limit itself is allowed."""
    payload = {"a": "é"}
    size = len('{"a":"é"}'.encode())
    check_payload("Job", payload, max_bytes=size)
    with pytest.raises(PayloadTooLarge) as caught:
        check_payload("Job", payload, max_bytes=size - 1)
    assert (caught.value.size, caught.value.limit) == (size, size - 1)


@pytest.mark.parametrize(
    ("result", "text"),
    [(None, ""), (0, "0"), ("", '""'), ({"a": (1, "é")}, '{"a":[1,"é"]}'), ([], "[]")],
)
def test_results_are_kept_as_json(result: object, text: str) -> None:
    """What JSON can hold is kept, a tuple as a list; None is no result."""
    assert encode_result("Job", result, max_bytes=100) == (text, False)


@pytest.mark.parametrize("result", [object(), {"a": {1}}, float("nan"), SURROGATE, nested(MAX_DEPTH + 1), {1: 2}])
def test_other_results_are_dropped_with_one_warning(result: object, caplog: pytest.LogCaptureFixture) -> None:
    """A result that JSON cannot hold is dropped, and one warning says which and where."""
    with caplog.at_level(logging.WARNING, "flask_queue"):
        assert encode_result("MakeThumbnails", result, max_bytes=100) == ("", False)
    assert len(caplog.messages) == 1
    assert "MakeThumbnails" in caplog.text


def test_long_results_are_cut_between_characters() -> None:
    """A result over the limit is cut, never inside a character, and marked."""
    assert encode_result("Job", "ééé", max_bytes=4) == ('"é', True)
    assert encode_result("Job", "x", max_bytes=0) == ("", True)


@pytest.mark.parametrize("tags", [["a b", "é", "x" * 100], ("a",), {"a"}, [], dict.fromkeys("ab").keys(), ["1"] * 99])
def test_tags_are_short_texts(tags: Any) -> None:
    """Of any list or set; each once, in their order."""
    assert check_tags("A", tags) == tuple(dict.fromkeys(tags))


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ("vip", "a list of texts, not str"),
        (None, "a list of texts, not NoneType"),
        ({"vip": 1}, "a list of texts, not dict"),
        ([7], "tags returned 7: give texts"),
        *((["good", bad], repr(bad)) for bad in ("", " ", " a", "a ", "a\nb", "\x1b[m", "\udc80", "x" * 101)),
        ([str(number) for number in range(21)], "tags returned 21 of them, and a job has at most 20"),
    ],
)
def test_other_tags_are_refused(tags: object, told: str) -> None:
    """With what to do instead."""
    with pytest.raises(InvalidPayload) as info:
        check_tags("A", tags)
    assert str(info.value).startswith("A: $: tags ")
    assert told in str(info.value)


def test_storable_keeps_text_and_escapes_surrogates() -> None:
    """Any text becomes one that UTF-8 can hold; what it can hold stays."""
    assert storable("né") == "né"
    assert storable("a" + SURROGATE) == r"a\udc80"
