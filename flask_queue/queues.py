"""Queues as the code declares them, and as QUEUES and QUEUE_CONCURRENCY_<NAME> change them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import Any

from .environment import Settings, from_json, is_text, logger, number, seconds, whole

#: Claims that a rate limit can count in one window: each is remembered until the window has passed it.
MAX_RATE = 10_000
#: Dramatiq's rule for queue names.
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9._-]*")
RATE = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9}(?:\.\d{1,6})?)\s*s\s*", re.ASCII)
CONCURRENCY = "QUEUE_CONCURRENCY_"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Never more than `limit` claims (1 to 10,000) in any window of `per_s` seconds, over all workers."""

    limit: int
    _: KW_ONLY
    per_s: float


@dataclass(frozen=True, slots=True)
class Queue:
    """A named queue, with a thread pool of its own in every worker.

    Args:
        name: letters, digits, `.`, `_` and `-`, the first a letter or `_`.
        concurrency: threads in each worker process, at least 1.
        rate_limit: how often its jobs may start, over all workers; None for no limit.
        max_running: how many of its jobs may run at a time, over all workers; None for no limit.
    """

    name: str
    _: KW_ONLY
    concurrency: int = 2
    rate_limit: RateLimit | None = None
    max_running: int | None = None


def read_queues(settings: Settings, declared: Iterable[object]) -> Mapping[str, Queue]:
    """The declared queues, changed and joined by QUEUES, then by QUEUE_CONCURRENCY_<NAME>.

    What is wrong is added to the faults of `settings`. Without any queue there is one named `default`.
    """
    queues = _declared(settings, declared)
    nothing: Mapping[str, object] = {}
    changes = settings.read("QUEUES", nothing, _mapping)
    for name, change in changes.items():
        try:
            queues[name] = _changed(queues.get(name, Queue(name)), change)
        except ValueError as error:
            settings.faults.append(f"QUEUES, queue {name!r}: {error}")
    queues = queues or {"default": Queue("default")}
    for queue in queues.values():
        settings.faults += [f"queue {queue.name!r}: {fault}" for fault in _faults(queue)]
    return MappingProxyType(_with_concurrency(settings, queues))


def _declared(settings: Settings, declared: Iterable[object]) -> dict[str, Queue]:
    queues: dict[str, Queue] = {}
    for queue in declared:
        if not isinstance(queue, Queue):
            settings.faults.append(f"FlaskQueue(queues=[…]) takes Queue objects, not {queue!r}")
            continue
        if not is_text(queue.name):
            settings.faults.append(f"Queue({queue.name!r}): the name of a queue is a text")
            continue
        if queue.name in queues:
            settings.faults.append(f"the queue {queue.name!r} is declared twice: leave one of them out")
        queues[queue.name] = queue
    return queues


def _mapping(value: object) -> Mapping[str, object]:
    value = from_json(value)
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError('give queue names and what they get, as in {"emails": 4}')
    return value


def _changed(queue: Queue, change: object) -> Queue:
    """The queue with what one entry of QUEUES says; what it doesn't mention stays."""
    if not isinstance(change, Mapping):
        return replace(queue, concurrency=_threads(change))
    if unknown := [key for key in change if key not in {"concurrency", "rate_limit", "max_running"}]:
        raise ValueError(f"{unknown[0]!r} is none of concurrency, rate_limit, max_running")
    values: dict[str, Any] = dict(change)
    if "concurrency" in values:
        values["concurrency"] = _threads(values["concurrency"])
    if "rate_limit" in values:
        values["rate_limit"] = _rate_limit(values["rate_limit"])
    return replace(queue, **values)


def _threads(value: object) -> int:
    try:
        return whole(1)(value)
    except ValueError as error:
        raise ValueError(f"concurrency {value!r}: {error}") from None


def _rate_limit(value: object) -> RateLimit | None:
    if value is None or isinstance(value, RateLimit):
        return value
    match = RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'rate_limit {value!r}: give a count and a time, as in "100/60s"')
    return RateLimit(int(match[1]), per_s=float(match[2]))


def _faults(queue: Queue) -> Iterator[str]:
    limit: object = queue.rate_limit
    if not NAME.fullmatch(str(queue.name)):
        yield "a name starts with a letter or _, and has only letters, digits, dots, _ and -"
    yield from _wrong("concurrency", queue.concurrency, whole(1))
    if queue.max_running is not None:
        yield from _wrong("max_running", queue.max_running, whole(1))
    if isinstance(limit, RateLimit):
        yield from _wrong("rate_limit", limit.limit, whole(1, MAX_RATE))
        yield from _wrong("rate_limit, per_s", limit.per_s, seconds(above=True))
    elif limit is not None:
        yield f"rate_limit {limit!r}: give RateLimit(limit, per_s=…)"


def _wrong(what: str, value: object, parse: Any) -> Iterator[str]:
    try:
        number(value, parse)
    except ValueError as error:
        yield f"{what} {value!r}: {error}"


def _with_concurrency(settings: Settings, queues: dict[str, Queue]) -> dict[str, Queue]:
    """Apply QUEUE_CONCURRENCY_<NAME>; two queues that one variable would mean are a fault, set or not."""
    by_key: dict[str, Queue] = {}
    for queue in queues.values():
        key = CONCURRENCY + re.sub(r"[.-]", "_", str(queue.name)).upper()
        if key in by_key:
            settings.faults.append(
                f"the queues {by_key[key].name!r} and {queue.name!r} both belong to {key}: rename one of them"
            )
        by_key[key] = queue
    for key, value in settings.environ.items():
        if not key.startswith(CONCURRENCY) or not value.strip():
            continue
        if key not in by_key:
            logger.warning("%s has no effect: no queue of this app has that name (%s).", key, ", ".join(queues))
            continue
        queue = by_key[key]
        queues[queue.name] = replace(queue, concurrency=settings.read_environment(key, queue.concurrency, whole(1)))
    return queues
