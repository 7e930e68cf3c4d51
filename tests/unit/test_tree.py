"""JSON as a bounded tree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flask_queue.admin.tree import MAX_CHILDREN, MAX_DEPTH, MAX_KEY, MAX_NODES, MAX_STRING, MAX_TEXT, Node, grow
from flask_queue.config import REDACTED
from flask_queue.redact import HIDDEN

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def nodes(root: Node) -> list[Node]:
    """All of them."""
    return [root, *(found for child in root.children for found in nodes(child))]


def by_key(root: Node) -> dict[str, Node]:
    """The members of an object."""
    return {child.key: child for child in root.children}


def test_each_value_reads_as_json() -> None:
    """With its kind, which colours it."""
    found = by_key(grow({"a": "x\n", "b": 1.5, "c": None, "d": True, "e": [], "f": {"g": 1}}, REDACTED).root)
    assert {key: (node.kind, node.text) for key, node in found.items()} == {
        "a": ("string", '"x\\n"'),
        "b": ("number", "1.5"),
        "c": ("word", "null"),
        "d": ("word", "true"),
        "e": ("array", "0 items"),
        "f": ("object", "1 member"),
    }


def test_secrets_are_hidden_at_any_depth() -> None:
    """And nothing of what is in them is in the tree."""
    tree = grow({"users": [{"password": {"old": "geheim"}, "name": "Zoe"}]}, REDACTED)
    user = by_key(tree.root.children[0].children[0])
    assert (user["password"].kind, user["password"].text, user["password"].children) == ("hidden", HIDDEN, [])
    assert not tree.is_cut
    assert "geheim" not in repr(tree)


@pytest.mark.parametrize(
    "value",
    [
        {"rows": [{"id": n, "email": f"{n}@example.org"} for n in range(50_000)], "last": 1},
        {"text": "x" * 3_000_000, "last": 1},
        {"texts": ["y" * 5000] * 1000, "last": 1},
        {**{"k" * 10_000 + str(n): n for n in range(300)}, "last": 1},
        {"k" * 500_000: 1},
    ],
)
def test_a_large_value_is_cut_and_says_so(value: dict[str, Any]) -> None:
    """Nodes and texts are bounded, whatever it is large in."""
    tree = grow(value, REDACTED)
    found = nodes(tree.root)
    assert tree.is_cut
    assert len(found) <= MAX_NODES + 1
    assert sum(len(node.key) + len(node.text) for node in found) <= MAX_TEXT + 2 * MAX_STRING
    assert all(len(node.children) <= MAX_CHILDREN for node in found)


def test_outer_members_come_first() -> None:
    """What is inside of the first leaves room for the others."""
    tree = grow({"first": [[n] * 90 for n in range(90)], "second": {"a": 1}}, REDACTED)
    assert by_key(tree.root)["second"].children[0].text == "1"


def test_what_is_missing_is_counted() -> None:
    """Members and characters."""
    tree = grow({"rows": list(range(MAX_CHILDREN + 20)), "text": "x" * (MAX_STRING + 5)}, REDACTED)
    assert {key: node.missing for key, node in by_key(tree.root).items()} == {"rows": 20, "text": 5}


def test_depth_is_bounded() -> None:
    """However deep a value is."""
    value: Any = 1
    for _ in range(800):
        value = [value]
    tree = grow(value, REDACTED)
    assert max(node.depth for node in nodes(tree.root)) == MAX_DEPTH
    assert tree.is_cut


@settings(deadline=None)
@given(JSON)
@example({"k" * (MAX_KEY + 1): None})
def test_a_small_value_is_whole(value: Any) -> None:
    """Nothing is missing unless it says so."""
    tree = grow(value, [])
    assert tree.is_cut == any(node.missing or len(node.key) > MAX_KEY for node in nodes(tree.root))
