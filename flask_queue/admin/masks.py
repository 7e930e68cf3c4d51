"""A payload that somebody may edit without seeing its secrets: each has a mark, for which it is put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import QueueError
from ..redact import HIDDEN, is_secret

#: Mark → the key that it stands under, and what it stands for.
Secrets = Mapping[str, tuple[str, Any]]


class MisplacedMark(QueueError):
    """A mark stands where it would send, or show, something else than the secret that it is for."""


def mask(payload: Any, secret_words: Sequence[str]) -> tuple[Any, Secrets]:
    """The payload with a mark of its own for each secret, and what the marks stand for.

    They are numbered: whoever moves a part of the payload moves the secret with it.
    """
    secrets: dict[str, tuple[str, Any]] = {}

    def hide(key: str, value: Any) -> Any:
        if not is_secret(key, secret_words):
            return walk(value)
        mark = f"{HIDDEN}{len(secrets) + 1}"
        secrets[mark] = (key, value)
        return mark

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: hide(key, item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list | tuple) else value

    return walk(payload), secrets


def unmask(typed: Any, secrets: Secrets, secret_words: Sequence[str]) -> Any:
    """What was typed, with the secrets in place of their marks.

    Raises:
        MisplacedMark: a mark is not under its own key, where its secret would no longer be hidden; or what stands
            under a secret key looks like a mark, and is none.
    """
    if isinstance(typed, dict):
        return {key: _restore(key, value, secrets, secret_words) for key, value in typed.items()}
    if isinstance(typed, list):
        return [_restore(None, value, secrets, secret_words) for value in typed]
    return typed


def _restore(key: str | None, value: Any, secrets: Secrets, secret_words: Sequence[str]) -> Any:
    if not isinstance(value, str):
        return unmask(value, secrets, secret_words)
    if value in secrets:
        own_key, secret = secrets[value]
        if key != own_key:
            raise MisplacedMark(f"{value} stands for the hidden value of {own_key!r}: leave it there, or type a value.")
        return secret
    if HIDDEN in value and key is not None and is_secret(key, secret_words):
        raise MisplacedMark(f"{value!r} under {key!r} stands for nothing: leave the mark as it was, or type a value.")
    return value
