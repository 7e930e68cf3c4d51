"""The settings of an app as a table, without what is secret in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from urllib.parse import parse_qsl, quote

from ..backoff import Backoff
from ..config import DEFAULT_URL, REDACTED, Config, Queue
from ..redact import HIDDEN, redact
from . import show

#: Fields that are no setting of their own.
_NO_SETTINGS = frozenset({"redis_configured"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: its value as text, what that means if it needs to be told, and whether it is what it is by default."""

    key: str
    value: str
    meaning: str
    is_default: bool


def settings(config: Config) -> Iterator[Setting]:
    """All of them, in the order of `Config`."""
    words = (*REDACTED, *config.redact)
    for field in fields(config):
        if field.name in _NO_SETTINGS:
            continue
        key = "QUEUES" if field.name == "queues" else f"QUEUE_{field.name.upper()}"
        value = getattr(config, field.name)
        if field.name == "redis_url":
            yield Setting(key, without_secrets(config.redis_url, words), "", not config.redis_configured)
        elif field.metadata.get("secret") or redact({key: ""}, words)[key] == HIDDEN:
            yield Setting(key, show.NOTHING if value is None else HIDDEN, "", value is None)
        elif field.name == "queues":
            yield Setting(key, ", ".join(map(_queue, value.values())), "", False)
        else:
            yield Setting(key, _text(value), _meaning(field.name, value), value == field.default)


def without_secrets(url: str, words: Sequence[str]) -> str:
    """The address of a server without its password, and without the values of secret options."""
    if url == DEFAULT_URL:
        return url
    scheme, separator, rest = url.partition("://")
    place, mark, query = rest.partition("?")
    login, at, where = place.rpartition("@")
    username, _, password = login.partition(":")
    options: Mapping[str, str] = redact(dict(parse_qsl(query, keep_blank_values=True)), words)
    shown = f"{username}:{HIDDEN}" if password else username
    told = "&".join(f"{key}={value if value == HIDDEN else quote(value, safe='/')}" for key, value in options.items())
    return f"{scheme}{separator}{shown}{at}{where}{mark}{told}"


def _queue(queue: Queue) -> str:
    return f"{queue.name}: {queue.concurrency}"


def _text(value: object) -> str:
    match value:
        case None:
            return show.NOTHING
        case bool():
            return str(value)
        case int() | float():
            return f"{value:.15g}"
        case Backoff(steps_s=()):
            return f"exponential, {value.min_s:g} to {value.max_s:g} s"
        case Backoff():
            return ", ".join(f"{step_s:g}" for step_s in value.steps_s) + " s"
        case tuple():
            return " ".join(map(str, value))
        case str():
            return value
        case _:
            # A function; its repr would tell an address in memory.
            return f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', type(value).__qualname__)}"


def _meaning(name: str, value: object) -> str:
    """A number in its unit, where the number alone says little."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if name.endswith("_s") and value >= 120:
        return show.duration(1000 * value)
    return show.size(value) if name.endswith("_bytes") and value >= 1024 else ""
