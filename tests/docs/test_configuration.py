"""The page about configuration tells every key, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from flask_queue.config import Config

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
#: Keys that are no field of Config, under their own names.
OTHERS = {"QUEUES", "QUEUE_CONCURRENCY_<NAME>", "REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_USERNAME"}
NO_KEY = {"redis_configured", "queues"}


def test_every_key_is_told_once_and_no_other() -> None:
    """The fields of Config, by their keys, and those that become its address and its queues."""
    told = re.findall(r"`((?:QUEUE|REDIS)\w*(?:<NAME>)?)`(?=[^|\n]*\|)", PAGE.read_text())
    keys = {f"QUEUE_{field.name.upper()}" for field in fields(Config) if field.name not in NO_KEY}
    assert set(told) == keys | OTHERS | {"REDIS_PASSWORD"}


def test_the_page_tells_the_defaults() -> None:
    """A number in the page is the one in the code."""
    rows = dict(re.findall(r"^\| `(QUEUE_\w+)` \| ([\d,]+) \|", PAGE.read_text(), re.MULTILINE))
    assert len(rows) >= 12
    for key, text in rows.items():
        assert getattr(Config(), key.removeprefix("QUEUE_").lower()) == float(text.replace(",", "")), key
