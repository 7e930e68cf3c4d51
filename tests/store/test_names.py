"""Pure parts of the store: messages as they are stored, state records, ids and keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from dramatiq import Message
from hypothesis import given
from hypothesis import strategies as st

from flask_queue.record import JobState
from flask_queue.store.codec import pack, unpack
from flask_queue.store.keys import LOCAL_ID, QueueKeys, full_id, new_id, split_id
from flask_queue.store.state import STATES, StateRecord

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def message(**changes: Any) -> Message[Any]:
    """A message as a job's dispatch makes it, or with changes."""
    fields: dict[str, Any] = {"queue_name": "q", "actor_name": "SendWelcomeEmail", "args": (), "options": {}}
    fields |= {"kwargs": {"user_id": 7}, "message_id": "a", "message_timestamp": 1_700_000_000_000}
    return Message(**fields | changes)


def test_a_plain_message_is_a_name_and_a_payload() -> None:
    """What most jobs store: nothing that is known from elsewhere."""
    assert pack(message()) == b'SendWelcomeEmail\n{"user_id":7}'
    assert unpack("q", "a", 1_700_000_000_000, pack(message())) == message()


@given(
    args=st.lists(JSON, max_size=2), kwargs=st.dictionaries(st.text(), JSON, max_size=3), options=st.just({"x": [1]})
)
def test_messages_come_back_as_they_were(args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]) -> None:
    """Whatever JSON they hold, line feeds in it included, they are read as they were written."""
    for extra in ({}, options):
        original = message(args=tuple(args), kwargs=kwargs, options=extra)
        assert unpack("q", "a", 1_700_000_000_000, pack(original)) == original


def test_a_message_may_keep_its_own_time() -> None:
    """Otherwise its time is that of storing."""
    assert unpack("q", "a", 5, pack(message())).message_timestamp == 5
    assert unpack("q", "a", 5, pack(message(), timestamp=True)).message_timestamp == 1_700_000_000_000


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"bytes", "\ud800"])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    """Nothing is stored that could not be read."""
    with pytest.raises((TypeError, ValueError)):
        pack(message(kwargs={"value": value}))


def test_a_state_record_is_read_as_it_is_written() -> None:
    """The result is the rest of the line, with whatever spaces it has."""
    text = b'c n1 lt 2 3 1 -5 1700000000000 0 1700000000001 1700000000002 7 host:1:x {"a": "b  c "} '
    state = StateRecord.parse(text)
    assert (state.flags, state.attempts, state.number, state.recoveries, state.priority) == ("lt", 2, 3, 1, -5)
    assert (state.worker, state.result, state.job_state) == ("host:1:x", '{"a": "b  c "} ', JobState.COMPLETED)
    assert " ".join(map(str, state)).encode() == text


def test_every_state_has_a_letter() -> None:
    """The letters are those of all states."""
    assert sorted(STATES.values()) == sorted(JobState)


def test_new_ids_are_short_and_plain() -> None:
    """16 letters and digits, never the same twice."""
    ids = {new_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert all(re.fullmatch("[A-Za-z0-9]{16}", local_id) for local_id in ids)


@pytest.mark.parametrize(("text", "fine"), [("a", True), ("A-b_c.9", True), ("x" * 128, True), ("x" * 129, False)])
def test_local_ids(text: str, fine: bool) -> None:
    """What a caller may choose."""
    assert bool(LOCAL_ID.fullmatch(text)) is fine


@pytest.mark.parametrize("text", ["", "a b", "a:b", "a\n", "é", "a/b", "{a}"])
def test_ids_that_nobody_may_choose(text: str) -> None:
    """Anything else would need quoting somewhere."""
    assert not LOCAL_ID.fullmatch(text)


def test_full_ids_name_their_queue() -> None:
    """A local id alone has no queue."""
    assert full_id("emails", "a") == "emails:a"
    assert [split_id("emails:a"), split_id("a")] == [("emails", "a"), ("", "a")]


def test_keys_of_a_queue_share_a_hash_tag() -> None:
    """One queue, one cluster slot."""
    keys = QueueKeys("flask-queue", "emails")
    assert (keys.tag, keys["jobs"]) == ("{flask-queue:emails}", "{flask-queue:emails}:jobs")
