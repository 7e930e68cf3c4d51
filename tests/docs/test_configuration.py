"""The page about configuration tells every key, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from flask_queue import Backoff
from flask_queue.config import DEFAULT_BACKOFF, Config

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
#: Keys that are no field of Config, under their own names.
OTHERS = {"QUEUES", "QUEUE_CONCURRENCY_<NAME>", "REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_USERNAME"}
NO_KEY = {"redis_configured", "queues"}


def test_every_key_is_told_once_and_no_other() -> None:
    """The fields of Config, by their keys, and those that become its address and its queues."""
    told = re.findall(r"`((?:QUEUE|REDIS)\w*(?:<NAME>)?)`(?=[^|\n]*\|)", PAGE.read_text())
    keys = {f"QUEUE_{field.name.upper()}" for field in fields(Config) if field.name not in NO_KEY}
    assert set(told) == keys | OTHERS | {"REDIS_PASSWORD"}


def told_default(text: str) -> object:
    """A default as the page has it."""
    if found := re.fullmatch("`(.+)`", text):
        return found[1]
    known = {"–": None, "True": True, "False": False}
    return known[text] if text in known else float(text.replace(",", ""))


def real_default(key: str) -> object:
    """A default as the page would have it."""
    value = getattr(Config(), key.removeprefix("QUEUE_").lower())
    if value is DEFAULT_BACKOFF:
        return "exponential"
    return " ".join(value) if isinstance(value, tuple) else value


def test_the_page_tells_the_defaults() -> None:
    """They are those of the code; the address and the queues have rows of their own kind."""
    rows = re.findall(r"^\| ((?:`QUEUE_\w+`,? ?)+) ?\| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    told = {key: default for keys, default in rows for key in re.findall(r"`(\w+)`", keys)}
    keys = {f"QUEUE_{field.name.upper()}" for field in fields(Config) if field.metadata}
    assert {key: told_default(told[key]) for key in keys} == {key: real_default(key) for key in keys}
    backoff = next(line for line in PAGE.read_text().splitlines() if "`QUEUE_BACKOFF`" in line)
    assert "doubles from 5 s to 1 h" in backoff
    assert Backoff.exponential(5, 3600) == DEFAULT_BACKOFF
