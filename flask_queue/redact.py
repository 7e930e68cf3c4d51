"""Hides the values of keys that name secrets, wherever payloads are shown."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from .record import JobRecord

#: Stands for a value that is not shown.
HIDDEN = "•••"
#: Characters of a key of which it is remembered whether it is secret.
LONGEST_KNOWN = 100
#: Each string in JSON text, with the colon where it is a key; the last one may have no end. All are taken one after the
#: other, and none is begun at twice: hostile text has thousands of quotes.
_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"(\s*:)?|\\?\Z)', re.DOTALL)


def hide_secrets(record: JobRecord, words: Sequence[str]) -> JobRecord:
    """The record without the values of secret keys; text that was cut off ends at the first of them."""
    hide = redact_cut if record.result_cut else redact
    excerpt = record.payload_excerpt
    return dataclasses.replace(
        record,
        payload=redact(record.payload, words),
        payload_excerpt=excerpt and redact_cut(excerpt, words),
        result=hide(record.result, words),
    )


def redact(value: Any, words: Iterable[str]) -> Any:
    """A copy of JSON data in which the values of secret keys are replaced, at any depth.

    Args:
        value: of JSON's types.
        words: as in QUEUE_REDACT. A key is secret if parts of it, side by side, make up a word: `api_key` hides
            `API_KEY`, `apiKey` and `user-api-key`; `card` hides `card2`, but not `discard`.
    """
    return _redact(value, _pattern(tuple(words)))


def is_secret(key: str, words: Iterable[str]) -> bool:
    """Whether a key's value is hidden."""
    return _is_secret(key, _pattern(tuple(words)))


def redact_cut(text: str, words: Iterable[str]) -> str:
    """Text of JSON whose end was cut off, up to its first secret key: what is behind that cannot be told apart."""
    secret = _pattern(tuple(words))
    for key in _STRING.finditer(text):
        if key[2] and secret.search(_parts(_unescaped(key[1]))):
            return f"{text[: key.end()]} {HIDDEN}"
    return text


def _unescaped(key: str) -> str:
    try:
        return str(json.loads(f'"{key}"', strict=False))
    except ValueError:
        return key


def _redact(value: Any, secret: re.Pattern[str]) -> Any:
    if isinstance(value, dict):
        return {key: HIDDEN if _is_secret(key, secret) else _redact(item, secret) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(item, secret) for item in value]
    return value


def _is_secret(key: str, secret: re.Pattern[str]) -> bool:
    return _is_known_secret(key, secret) if len(key) <= LONGEST_KNOWN else secret.search(_parts(key)) is not None


@lru_cache(maxsize=4096)
def _is_known_secret(key: str, secret: re.Pattern[str]) -> bool:
    """Payloads have the same few keys, again and again."""
    return secret.search(_parts(key)) is not None


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Matches the parts of secret keys; a key may have one part where a word has two, and the other way round."""
    letters = [_parts(word).replace("_", "") for word in words]
    alternatives = "|".join("_?".join(map(re.escape, word)) for word in letters if word) or "(?!)"
    return re.compile(f"(?:^|_)(?:{alternatives})(?:_|$)")


def _parts(key: str) -> str:
    """A name in whatever style as lower-case parts with `_` between them: `userApiKey2` → `user_api_key_2`."""
    marked = list[str]()
    for before, char, after in zip(f"_{key}", key, f"{key[1:]}_", strict=False):
        starts_word = char.isupper() and (before.islower() or (before.isupper() and after.islower()))
        if starts_word or before.isdigit() != char.isdigit():
            marked.append("_")
        marked.append(char)
    return re.sub(r"[\W_]+", "_", "".join(marked).casefold()).strip("_")
