"""What people type into a search box, and what it means."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_queue.query import Query
from flask_queue.record import JobState
from flask_queue.search import LONGEST, QUALIFIERS, parse

QUEUES = ["default", "emails", "name"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
#: Paths without what ends a key.
PATH = st.from_regex(r"[^\s\":]{1,12}", fullmatch=True)


@pytest.mark.parametrize(
    ("search", "query"),
    [
        ("", Query()),
        (" \t\n", Query()),
        ("queue:emails", Query(queues=("emails",))),
        ("name:SendWelcomeEmail name:Other", Query(names=("SendWelcomeEmail", "Other"))),
        ("state:failed state:Delayed", Query(states=(JobState.FAILED, JobState.DELAYED))),
        ("tag:vip tag:user:7", Query(tags=("vip", "user:7"))),
        ("error:SMTP error:timeout", Query(errors=("SMTP", "timeout"))),
        ("error:0123456789ab", Query(fingerprints=("0123456789ab",))),
        ("error:0123456789AB", Query(errors=("0123456789AB",))),
        ('error:"ValueError: no such user"', Query(errors=("ValueError: no such user",))),
        ("args.user_id:42 args.user.plan:free", Query(args=(("user_id", "42"), ("user.plan", "free")))),
        ('args.city:"New York"', Query(args=(("city", "New York"),))),
        ('args.note:""', Query(args=(("note", ""),))),
        ("args.straße:groß", Query(args=(("straße", "groß"),))),
        ("args.url:http://a/b?c", Query(args=(("url", "http://a/b?c"),))),
        ("id:x5Yq id:emails:x5", Query(ids=("x5Yq", "emails:x5"))),
        ("emails:x5Yq2bXhQ0cT1aZk", Query(ids=("emails:x5Yq2bXhQ0cT1aZk",))),
        ("name:first", Query(names=("first",))),
        ("new york", Query(texts=("new", "york"))),
        ('"new york"', Query(texts=("new york",))),
        (r'"say \"hi\" \\ there"', Query(texts=(r'say "hi" \ there',))),
        ('it\'s 5" 12:30 :) a"b', Query(texts=("it's", '5"', "12:30", ":)", 'a"b'))),
        ('"a":b', Query(texts=("a", ":b"))),
        ("  vip   queue:emails ", Query(queues=("emails",), texts=("vip",))),
    ],
)
def test_terms_mean(search: str, query: Query) -> None:
    """One condition each, in any order."""
    assert parse(search, queues=QUEUES) == query


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (
            "user:7",
            "user: is no qualifier; there are queue:emails, name:SendWelcomeEmail, .*args.user_id:42. Put quotes",
        ),
        ("http://x", "http: is no qualifier"),
        ("args:7", "args: is no qualifier; .*args.user_id:42"),
        ("args.:7", "args.: is no qualifier"),
        ("state:broken", "state:broken: give one of waiting, delayed"),
        ("queue:nope", "queue:nope: there is no such queue; there are default, emails, name"),
        ("name:", "name: needs a value right after the colon, as in name:SendWelcomeEmail"),
        ("name: x", "name: needs a value"),
        ("args.user_id: 42", "args.user_id: needs a value"),
        ('tag:""', 'tag:"" asks for nothing'),
        ('""', "asks for nothing"),
        ('args.city:"New York', "is not closed; write"),
        ('a "', "is not closed"),
        ("x" * (LONGEST + 1), "2,001 characters: give at most 2,000"),
        ("x " * 19 + "error:x args.x:x", "21 texts to look for: give at most 20"),
    ],
)
def test_a_wrong_term_says_what_to_do(search: str, message: str) -> None:
    """And is never taken for something else."""
    with pytest.raises(ValueError, match=message):
        parse(search, queues=QUEUES)


@pytest.mark.parametrize("example", QUALIFIERS.values())
def test_examples_in_messages_work(example: str) -> None:
    """Whoever copies one gets a result."""
    assert parse(example, queues=QUEUES) != Query()


def term(key: str, value: str) -> str:
    """A term as somebody writes it, with quotes where it needs them; without a key it is a text."""
    if not re.fullmatch(r'[^\s":]+', value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        value = f'"{escaped}"'
    return f"{key}:{value}" if key else value


@given(
    texts=st.lists(TEXT, max_size=10),
    tags=st.lists(TEXT),
    args=st.lists(st.tuples(PATH, st.just("") | TEXT), max_size=10),
)
def test_terms_are_read_as_they_are_written(texts: list[str], tags: list[str], args: list[tuple[str, str]]) -> None:
    """Whatever is in a value."""
    terms = [term("", text) for text in texts]
    terms += [term("tag", tag) for tag in tags]
    terms += [term(f"args.{path}", value) for path, value in args]
    search = " ".join(terms)
    if len(search) <= LONGEST:
        assert parse(search, queues=[]) == Query(texts=tuple(texts), tags=tuple(tags), args=tuple(args))


@given(st.text(st.sampled_from('ab:." \\qargsid\n')) | st.text())
def test_any_text_is_a_search_or_a_clear_error(search: str) -> None:
    """Never another exception."""
    with suppress(ValueError):
        parse(search, queues=QUEUES)


def test_conditions_add_up() -> None:
    """What a search and arguments ask for must both be; alternatives of one kind must be in both."""
    one = Query(states=(JobState.FAILED, JobState.ACTIVE), tags=("a",), since_ms=5, until_ms=20)
    other = Query(states=(JobState.ACTIVE,), queues=("q",), tags=("b", "a"), since_ms=7, until_ms=30)
    both = Query(states=(JobState.ACTIVE,), queues=("q",), tags=("a", "b"), since_ms=7, until_ms=20)
    assert one.also(other) == both
    assert Query(names=("A",)).also(Query(names=("B",))).names == ()
    assert Query().also(one) == one
