"""What JSON can hold: payloads are checked strictly, results leniently."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence, Set
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from .errors import InvalidPayload, PayloadTooLarge

logger = logging.getLogger("flask_queue")

#: Levels of objects and arrays. Python's own JSON reader gives up at about a thousand, less the caller's stack.
MAX_DEPTH = 100
#: Whole numbers have fewer digits than this: the least to which a Python interpreter can limit itself.
MAX_DIGITS = 640
_TOO_LONG = 10**MAX_DIGITS
#: Characters of a tag, and tags of a job: each has an index of its own.
MAX_TAG = 100
MAX_TAGS = 20

#: Type → what to pass instead, in the order in which they are tried.
_INSTEAD: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Enum, "pass its .value"),
    ((date, time), "pass its .isoformat()"),
    (timedelta, "pass its .total_seconds()"),
    ((Decimal, UUID), "pass str() of it"),
    ((bytes, bytearray, memoryview), "decode it, or store it and pass where it is"),
    ((tuple, Set, list), "pass list() of it"),
    (Mapping, "pass dict() of it"),
    (str, "pass str() of it"),
    (int, "pass int() of it"),
    (float, "pass float() of it"),
)

#: Of what was checked, which is not deep enough to contain itself.
_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False).encode


class _NotJSON(Exception):
    """`path` collects the keys from the inside out while the error rises."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str | int] = []
        super().__init__(reason)

    @property
    def where(self) -> str:
        """The path as it is written: `$.items[3]`."""
        return "$" + "".join(_step(key) for key in reversed(self.path))


def check_payload(job: str, payload: dict[str, Any], *, max_bytes: int) -> str:
    """Make sure that a payload survives JSON unchanged, and is not too large; its JSON text.

    Args:
        job: its name, for the message.
        payload: JSON's own types alone: None, bool, int, float, str, list, and dict with str keys.
        max_bytes: of its JSON.

    Raises:
        InvalidPayload: with the path to what JSON cannot hold.
        PayloadTooLarge: it is longer than `max_bytes`.
    """
    try:
        _check(payload, 0, (list,))
    except _NotJSON as error:
        raise InvalidPayload(job, error.where, error.reason) from None
    text = _dumps(payload)
    size = len(text) if text.isascii() else len(text.encode())
    if size > max_bytes:
        raise PayloadTooLarge(size, max_bytes)
    return text


def check_tags(job: str, tags: object) -> tuple[str, ...]:
    """What a job's `tags` returned, each once.

    Raises:
        InvalidPayload: it is no list of short texts.
    """
    if type(tags) in (tuple, list) and not tags:
        # Of most jobs that is all there is to know.
        return ()
    if isinstance(tags, str) or not isinstance(tags, Sequence | Set):
        raise InvalidPayload(job, "$", f"tags must return a list of texts, not {type(tags).__name__}")
    for tag in tags:
        if not isinstance(tag, str) or not tag.isprintable() or tag != tag.strip() or not 0 < len(tag) <= MAX_TAG:
            rule = f"give texts of 1 to {MAX_TAG} printable characters, without spaces around"
            raise InvalidPayload(job, "$", f"tags returned {tag!r}: {rule}")
    found = tuple(dict.fromkeys(tags))
    if len(found) > MAX_TAGS:
        raise InvalidPayload(job, "$", f"tags returned {len(found)} of them, and a job has at most {MAX_TAGS}")
    return found


def encode_result(job: str, result: object, *, max_bytes: int) -> tuple[str, bool]:
    """The JSON text of what `handle` returned, and whether it was cut at `max_bytes`; "" for None.

    A tuple becomes a list. What JSON cannot hold is dropped with a warning: the job has done its work all the same.
    """
    if result is None:
        return "", False
    try:
        _check(result, 0, (list, tuple))
    except _NotJSON as error:
        logger.warning("The result of %s is dropped, at %s: %s.", job, error.where, error.reason)
        return "", False
    encoded = _dumps(result).encode()
    if len(encoded) <= max_bytes:
        return encoded.decode(), False
    return encoded[:max_bytes].decode(errors="ignore"), True


def storable(text: str) -> str:
    r"""The text as UTF-8 can hold it: lone surrogates, from undecodable file names for one, are written as \udc80."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _check(value: Any, depth: int, arrays: tuple[type, ...]) -> None:
    kind = type(value)
    if kind is str:
        _check_text(value)
    elif kind is int:
        if not -_TOO_LONG < value < _TOO_LONG:
            raise _NotJSON(f"a whole number of more than {MAX_DIGITS} digits cannot be read back from JSON")
    elif kind is float:
        if not math.isfinite(value):
            raise _NotJSON(f"JSON has no {value}; pass None or leave it out")
    elif kind is dict or kind in arrays:
        _check_inside(value, depth, arrays)
    elif value is not None and kind is not bool:
        raise _NotJSON(f"JSON cannot hold a {kind.__name__}; {_instead(value)}")


def _check_inside(value: Any, depth: int, arrays: tuple[type, ...]) -> None:
    if depth >= MAX_DEPTH:
        raise _NotJSON(f"it is more than {MAX_DEPTH} levels deep, or contains itself")
    is_object = type(value) is dict
    if is_object:
        _check_keys(value)
    for key, item in value.items() if is_object else enumerate(value):
        try:
            _check(item, depth + 1, arrays)
        except _NotJSON as error:
            error.path.append(key)
            raise


def _check_keys(value: dict[object, object]) -> None:
    for key in value:
        if type(key) is not str:
            raise _NotJSON(f"the key {key!r} is a {type(key).__name__}; keys in JSON are text, pass str() of it")
        _check_text(key)


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _NotJSON("the text has a lone surrogate, which UTF-8 cannot hold; decode it properly first") from None


def _instead(value: object) -> str:
    for types, advice in _INSTEAD:
        if isinstance(value, types):
            return advice
    return "pass an identifier, or its parts, and build it in handle"


def _step(key: str | int) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{json.dumps(key)}]"
