"""Reads settings from `app.config`, then the environment with its `.env` file, and collects what is wrong."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, TypeVar

from dotenv import dotenv_values, find_dotenv
from flask.helpers import get_load_dotenv

T = TypeVar("T")
logger = logging.getLogger("flask_queue")

#: How alike an unknown QUEUE_… key and a setting must be to be taken for a typing error.
TYPO_CUTOFF = 0.88
#: What Lua and JSON hold exactly.
LARGEST = 2**53 - 1
#: A hundred years: beyond it only a typing error, or an overflow further on.
LONGEST_S = 100 * 365 * 86_400
#: Of a wrong value in a message.
LONGEST_SHOWN = 200
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


class Settings:
    """Looks settings up by key; faults are collected, so that all of them can be reported together.

    A key that is None or empty counts as not set, wherever it stands.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.known: set[str] = set()
        self._config = config
        files, self.faults = read_dotenv()
        self.environ: Mapping[str, str] = {**files, **os.environ}

    def find(self, key: str) -> tuple[object, str]:
        """The raw value of a key and where it stands; None and "" if it is not set."""
        self.known.add(key)
        value = self._config.get(key)
        if value is not None and value != "":
            return value, "app.config"
        text = self.environ.get(key, "").strip()
        return (text, self._place(key)) if text else (None, "")

    def read(self, key: str, default: T, parse: Callable[[object], T], *, secret: bool = False) -> T:
        """The parsed value of a key, or the default if it is not set or wrong; what is wrong becomes a fault."""
        value, place = self.find(key)
        return default if value is None else self._parse(key, value, place, default, parse, secret)

    def read_environment(self, key: str, default: T, parse: Callable[[object], T]) -> T:
        """Like `read`, for a key that counts in the environment alone."""
        return self._parse(key, self.environ[key], self._place(key), default, parse, False)

    def warn_of_typos(self) -> None:
        """Log QUEUE_… keys that are no settings but look like one.

        Only a warning: an environment may be shared with other software that uses the prefix too.
        """
        for key in [*self._config, *self.environ]:
            if not key.startswith("QUEUE_") or key in self.known:
                continue
            if meant := get_close_matches(key, sorted(self.known), n=1, cutoff=TYPO_CUTOFF):
                logger.warning("%s is not a setting of flask-queue and has no effect: did you mean %s?", key, meant[0])

    def _parse(
        self, key: str, value: object, place: str, default: T, parse: Callable[[object], T], is_secret: bool
    ) -> T:
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            shown = "" if is_secret else f" is {value!r}"
            self.faults.append(f"{key} ({place}){shown}: {error}")
            return default

    def _place(self, key: str) -> str:
        return "environment" if key in os.environ else "the .env file"


def read_dotenv() -> tuple[dict[str, str], list[str]]:
    """What Flask's own commands would load, so that a server that isn't started by them sees the same; and faults."""
    if not get_load_dotenv():
        return {}, []
    found: dict[str, str | None] = {}
    faults: list[str] = []
    for name in (".flaskenv", ".env"):
        try:
            path = find_dotenv(name, usecwd=True)
            found |= dotenv_values(path, encoding="utf-8") if path else {}
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"the {name} file cannot be read: {error}")
    return {key: value for key, value in found.items() if value is not None}, faults


def flag(value: object) -> bool:
    """Yes or no: a bool, or the words and digits that environments use for one."""
    word = str(value).strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError("give true or false")


def whole(minimum: int, maximum: int = LARGEST) -> Callable[[object], int]:
    """A parser of whole numbers within these bounds."""
    bounds = f"of at least {minimum}" if maximum == LARGEST else f"from {minimum} to {maximum:,}"

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value, re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"give a whole number {bounds}")
        if value < minimum or value > maximum:
            raise ValueError(f"give a whole number {bounds}")
        return value

    return parse


def seconds(minimum: float = 0, *, above: bool = False) -> Callable[[object], float]:
    """A parser of durations in seconds: at least `minimum`, or more than it if `above`."""
    wanted = f"give a number of seconds, {'more than' if above else 'at least'} {minimum:g}, at most 100 years"

    def parse(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(wanted)
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise ValueError(wanted) from None
        if not minimum <= number <= LONGEST_S or (above and number == minimum):
            raise ValueError(wanted)
        return number

    return parse


def number(value: object, parse: Callable[[object], T]) -> T:
    """Like `parse`, for values that code gives: there, text in place of a number is a mistake."""
    if isinstance(value, str):
        raise ValueError("give a number, not a text")
    return parse(value)


def given(call: str, name: str, value: object, parse: Callable[[object], T]) -> T:
    """The parsed value of a call's argument.

    Raises:
        ValueError: it is wrong; the message names call and argument.
    """
    try:
        return parse(value)
    except ValueError as error:
        shown = repr(value)
        shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"
        raise ValueError(f"{call}({name}={shown}): {error}") from None


def given_number(call: str, name: str, value: object, parse: Callable[[object], T]) -> T:
    """Like `given`, for numbers: text in place of one is a mistake in code."""
    return given(call, name, value, lambda value: number(value, parse))


def is_text(value: object) -> bool:
    """Whether it is what annotations say, which nothing has checked in the code of users."""
    return isinstance(value, str)


def text(value: object) -> str:
    """A parser of plain text."""
    if not isinstance(value, str):
        raise ValueError("give a text, in quotes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("the text has a lone surrogate, which UTF-8 cannot hold") from None
    return value


def moment(value: object) -> datetime | None:
    """A parser of moments, or None."""
    if value is None:
        return None
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ValueError("give a datetime with a time zone, as in datetime.now(UTC)")
    return value


def from_json(value: object) -> object:
    """What an environment's JSON text stands for; anything but text as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"this is no valid JSON ({error})") from None
