"""JSON as a tree that a page can show: bounded in nodes, depth and text however large the value, secrets hidden."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..redact import HIDDEN, is_secret

#: Nodes of a tree, and of one object or array in it.
MAX_NODES, MAX_CHILDREN = 500, 100
#: Objects and arrays that are further inside are not unfolded.
MAX_DEPTH = 12
#: Characters of all texts in a tree, and of one of them.
MAX_TEXT, MAX_STRING = 64 << 10, 4 << 10
#: Characters of a key.
MAX_KEY = 200


@dataclass(slots=True)
class Node:
    """A value of a tree."""

    #: Of an object's member; the position in an array; empty for the whole.
    key: str
    #: `object`, `array`, `string`, `number`, `word` (true, false, null) or `hidden`.
    kind: str
    #: The value as JSON; of objects and arrays how many members they have.
    text: str
    depth: int = 0
    children: list[Node] = field(default_factory=list)
    #: How many members, or characters of a string, are not shown.
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """What is shown of a value; `is_cut` where that is not all of it."""

    root: Node
    is_cut: bool
    #: Nodes.
    size: int


def grow(value: Any, secret_words: Sequence[str]) -> Tree:
    """The tree of a JSON value.

    Outer members come first: where there is too much, it is the inside of them that is left out.
    """
    root, room = Node("", "", ""), _Room()
    _fill(root, value, room)
    containers = deque([(root, value)])
    while containers:
        node, inner = containers.popleft()
        if not isinstance(inner, dict | list | tuple):
            continue
        for key, item in _members(inner, node, room):
            child = Node(key if len(key) <= MAX_KEY else f"{key[:MAX_KEY]}…", "", "", node.depth + 1)
            room.is_cut |= len(key) > MAX_KEY
            node.children.append(child)
            if isinstance(inner, dict) and is_secret(key, secret_words):
                child.kind, child.text = "hidden", HIDDEN
                continue
            _fill(child, item, room)
            containers.append((child, item))
        node.missing = len(inner) - len(node.children)
        room.is_cut |= node.missing > 0
    return Tree(root, room.is_cut, MAX_NODES - room.nodes)


@dataclass(slots=True)
class _Room:
    """What is left of the bounds of one tree."""

    nodes: int = MAX_NODES
    text: int = MAX_TEXT
    is_cut: bool = False


def _members(value: Any, node: Node, room: _Room) -> Iterable[tuple[str, Any]]:
    """The members of an object or array that are shown."""
    if node.depth >= MAX_DEPTH:
        return
    count = min(len(value), MAX_CHILDREN, room.nodes)
    members = value.items() if isinstance(value, dict) else ((str(at), item) for at, item in enumerate(value))
    for key, item in islice(members, count):
        if room.text <= 0:
            return
        room.nodes -= 1
        room.text -= min(len(key), MAX_KEY)
        yield key, item


def _fill(node: Node, value: Any, room: _Room) -> None:
    match value:
        case dict():
            node.kind, node.text = "object", _count(len(value), "member")
        case list() | tuple():
            node.kind, node.text = "array", _count(len(value), "item")
        case str():
            most = max(0, min(len(value), MAX_STRING, room.text))
            node.kind, node.text = "string", json.dumps(value[:most], ensure_ascii=False)
            node.missing = len(value) - most
            room.is_cut |= node.missing > 0
        case bool() | None:
            node.kind, node.text = "word", json.dumps(value)
        case _:
            node.kind, node.text = "number", json.dumps(value)
    room.text -= len(node.text)


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
