"""Sends the message of a stored job once more."""

from __future__ import annotations

from typing import Any

from dramatiq import Message

from .batches import NewJob
from .broker import QueueBroker
from .dispatch import dispatch
from .errors import InvalidPayload, JobNotRegistered
from .options import DispatchOptions
from .record import JobRecord

#: Options that a run of Dramatiq's retries leaves in the message, and that tell of the first job's past.
_PAST = frozenset({"retries", "traceback", "requeue_timestamp"})


def send_again(broker: QueueBroker, message: Message[Any], priority: int, *, is_changed: bool = False) -> JobRecord:
    """Send a message as a new job, to run now.

    Args:
        broker: of the current app.
        message: with a new id.
        priority: of the first job.
        is_changed: its arguments are not those of the first job.

    Raises:
        JobNotRegistered: no job of this name is registered with the current app.
        InvalidPayload, PayloadTooLarge, QueueUnavailable: as from `dispatch`; a plain actor's were changed.
    """
    name = message.actor_name
    actor = broker.actors.get(name)
    if actor is None:
        raise JobNotRegistered(name)
    options = {key: value for key, value in message.options.items() if key not in _PAST}
    job_class = getattr(actor, "job_class", None)
    if job_class is not None:
        # Not after a COMMIT: an operator's page may have read a row, and commits nothing.
        as_before = DispatchOptions(
            priority=priority, queue_name=message.queue_name, after_commit=False, message=options
        )
        return dispatch(job_class, message.args, message.kwargs, as_before)
    if is_changed:
        raise InvalidPayload(
            name, "$", "a plain actor's arguments cannot be changed: send it from code, with its send()"
        )
    copy: Message[Any] = Message(**{**message.asdict(), "options": options})
    return broker.dispatch([NewJob(copy, priority=priority)])[0]
