"""A job once more: as it was, or with another payload."""

from __future__ import annotations

import json
from typing import Any

from ...errors import InvalidPayload, JobNotFound, JobNotRegistered, PayloadTooLarge, QueueError
from ...record import JobRecord
from ...registry import JobActor
from ..desk import Desk
from ..masks import MisplacedMark, Secrets, mask, unmask
from .job import LARGE_JSON, to_json

#: Rows of the field.
FEWEST_ROWS, MOST_ROWS = 6, 32


class Refused(QueueError):
    """It was not sent: `typed` is to be mended."""

    def __init__(self, fault: str, typed: str | None) -> None:
        self.typed = typed
        super().__init__(fault)


def context(desk: Desk, job_id: str, refused: Refused | None = None) -> dict[str, Any]:
    """What the template wants: the form, or after a fault what was typed.

    Raises:
        JobNotFound: there is no such job, or its payload is gone.
    """
    record = _record(desk, job_id)
    why_fixed = _why_fixed(desk, record)
    masked, secrets = ({}, {}) if why_fixed else mask(record.payload, desk.config.redact)
    typed = to_json(masked) if refused is None or refused.typed is None else refused.typed
    return {
        "title": f"Send {record.name} again",
        "job": record,
        "why_fixed": why_fixed,
        "typed": typed,
        "rows": min(MOST_ROWS, max(FEWEST_ROWS, typed.count("\n") + 2)),
        "fault": None if refused is None else str(refused),
        "secrets": len(secrets),
    }


def send(desk: Desk, job_id: str, typed: str | None) -> JobRecord:
    """Send it once more; None for what was typed means as it was.

    Returns: the new job, or one that is there with the same unique key, marked `deduplicated`.

    Raises:
        JobNotFound: there is no such job, or its payload is gone.
        Refused: what was typed is not what the job takes; nothing was sent.
    """
    try:
        if typed is None:
            return desk.operations.duplicate(job_id)
        record = _record(desk, job_id)
        if (why_fixed := _why_fixed(desk, record)) is not None:
            raise Refused(why_fixed, typed)
        _, secrets = mask(record.payload, desk.config.redact)
        return desk.operations.duplicate_with(record.id, _payload(desk, typed, secrets))
    except (InvalidPayload, PayloadTooLarge, JobNotRegistered, MisplacedMark, ValueError) as error:
        raise Refused(str(error), typed) from None


def told(record: JobRecord) -> str:
    """What to tell the visitor of what was sent."""
    if record.deduplicated:
        return f"Nothing was sent: {record.id}, this job, has the same unique key and is not settled yet."
    return f"Sent as a new job, {record.id}: this is its page."


def _record(desk: Desk, job_id: str) -> JobRecord:
    record = desk.monitor.get(job_id)
    if not record.name:
        raise JobNotFound(record.id, "Its record is there, but its payload is gone.")
    return record


def _payload(desk: Desk, typed: str, secrets: Secrets) -> dict[str, Any]:
    try:
        value = json.loads(typed)
    except json.JSONDecodeError as error:
        raise ValueError(f"This is no JSON: {error.msg}, in line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise ValueError("This JSON is too deep.") from None
    if not isinstance(value, dict):
        raise ValueError('Give an object, {"argument": value, …}: the arguments of handle by name.')
    payload: dict[str, Any] = unmask(value, secrets, desk.config.redact)
    return payload


def _why_fixed(desk: Desk, record: JobRecord) -> str | None:
    """Why the payload of this job cannot be edited; None where it can."""
    actor = desk.broker.actors.get(record.name)
    if actor is None:
        return f"{record.name} is not registered with this app: a worker could not run it."
    if not isinstance(actor, JobActor):
        return "It is a plain actor: nothing could check other arguments. Send it from code, with its send()."
    if "args" in record.payload and "args" not in actor.signature.parameters:
        return "It was sent with arguments by position, which have no names here. Send it from code."
    if len(json.dumps(record.payload, ensure_ascii=False)) > LARGE_JSON:
        return f"Its payload is too large for a form: use `flask queue duplicate {record.id}` with what is to change."
    return None
