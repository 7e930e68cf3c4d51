"""Which records are meant, and what to say where there are none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..record import JobRecord

#: Jobs that are listed, and characters of each payload.
MOST = 30
MOST_CHARACTERS = 500

Where = Callable[[JobRecord], bool]


def holds(record: JobRecord, payload: Mapping[str, Any] | None, queue: str | None, where: Where | None) -> bool:
    """Whether a record is what is meant."""
    return (
        (queue is None or record.queue == queue)
        and (payload is None or not any(_unlike(payload, record.payload)))
        and (where is None or bool(where(record)))
    )


def describe(payload: Mapping[str, Any] | None, queue: str | None, where: Where | None) -> str:
    """What is meant, after the job's name."""
    words = [
        "" if payload is None else f" with {_shown(payload)}",
        "" if queue is None else f" on queue {queue}",
        "" if where is None else " where it was asked for",
    ]
    return "".join(words)


def differences(
    records: Sequence[JobRecord],
    name: str | None = None,
    payload: Mapping[str, Any] | None = None,
    queue: str | None = None,
    where: Where | None = None,
) -> str:
    """All that was dispatched, one job a line; below those of this name where they differ from what was meant."""
    if not records:
        return "Nothing was dispatched."
    lines = [f"Dispatched ({len(records)}):"]
    # Where not all are shown, those that were asked for are.
    ordered = sorted(records, key=lambda record: record.name != name) if len(records) > MOST else records
    for record in ordered[:MOST]:
        lines.append(f"  {record.name} on {record.queue}: {_shown(record.payload)}{_more(record)}")
        if record.name == name:
            lines += [f"    {reason}" for reason in _reasons(record, payload, queue, where)]
    if len(records) > MOST:
        lines.append(f"  … and {len(records) - MOST} more")
    return "\n".join(lines)


def uncommitted(records: Sequence[JobRecord]) -> str:
    """What a test may have taken for dispatched: jobs whose transaction goes on, or ended without COMMIT."""
    if not records:
        return ""
    lines = [f"  {record.name} on {record.queue}: {_shown(record.payload)}" for record in records[:MOST]]
    if len(records) > MOST:
        lines.append(f"  … and {len(records) - MOST} more")
    return "\n".join([f"\nNot dispatched, for want of a COMMIT ({len(records)}):", *lines])


def _reasons(
    record: JobRecord, payload: Mapping[str, Any] | None, queue: str | None, where: Where | None
) -> Iterator[str]:
    if queue is not None and record.queue != queue:
        yield f"its queue is {record.queue}, not {queue}"
    if payload is not None:
        yield from _unlike(payload, record.payload)
    if where is not None and not where(record):
        yield "where() is not true of it"


def _unlike(wanted: Mapping[str, Any], found: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Each place in which a payload has not what is wanted."""
    for key, value in wanted.items():
        place = f"{path}{key}"
        if key not in found:
            yield f"it has no {place}"
        elif isinstance(value, Mapping) and isinstance(found[key], Mapping):
            yield from _unlike(value, found[key], f"{place}.")
        elif found[key] != value or (found[key] is True) is not (value is True):
            yield f"its {place} is {_shown(found[key])}, not {_shown(value)}"


def _more(record: JobRecord) -> str:
    """What else `where` may have been about."""
    words = [
        f", due {record.scheduled_at:%Y-%m-%d %H:%M:%S} UTC" if record.scheduled_at else "",
        f", priority {record.priority}" if record.priority else "",
        f", tags {', '.join(record.tags)}" if record.tags else "",
    ]
    return "".join(words)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
