"""From the arguments of a dispatch to stored jobs: bind, check, send."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .after_commit import hold, open_session
from .batches import NewJob
from .broker import QueueBroker
from .current import current_broker
from .errors import InvalidPayload, JobNotRegistered, QueueError
from .options import DEFAULTS, DispatchOptions, check_job_id
from .payload import check_payload, check_tags
from .record import JobRecord
from .store.codec import make_message
from .store.keys import lock_name, new_id, new_ids

if TYPE_CHECKING:
    from .job import Job
    from .registry import JobActor

#: A payload, and its JSON text; the unique lock of its job, as `NewJob.lock`, and its tags.
Checked: TypeAlias = tuple[dict[str, Any], str, str, tuple[str, ...]]


def dispatch(
    job: type[Job], args: Sequence[Any], kwargs: Mapping[str, Any], options: DispatchOptions = DEFAULTS
) -> JobRecord:
    """Check and store one job, now or after a COMMIT. Redis: one round trip.

    Args:
        job: its class, registered with the current app.
        args: as for `handle`, by position.
        kwargs: as for `handle`, by name.
        options: how this job differs from its class.

    Raises:
        InvalidPayload, PayloadTooLarge, JobNotRegistered, UnknownQueue, JobIdConflict: nothing was stored.
        ConfigError: it is to wait for a COMMIT, and the app has no Flask-SQLAlchemy.
        QueueUnavailable: it may have been stored; sending again with its `job_id` is safe.
    """
    broker, actor = _registered(job)
    checked = _checked(broker, actor, options, args, kwargs)
    has_id = options.job_id is not None
    return _send(broker, job, options, [_new_job(job, options, checked, options.job_id or new_id(), has_id)])[0]


def dispatch_many(
    job: type[Job],
    payloads: Iterable[Mapping[str, Any]],
    options: DispatchOptions = DEFAULTS,
    job_ids: Sequence[str] | None = None,
) -> list[JobRecord]:
    """Check all, then store all, now or after a COMMIT. Redis: one round trip for each 256.

    Args:
        job: its class, registered with the current app.
        payloads: the arguments of each job, by name.
        options: how these jobs differ from their class.
        job_ids: one for each, so that what may have been stored can be sent again.

    Returns: their records in order.

    Raises:
        InvalidPayload, PayloadTooLarge, JobNotRegistered, UnknownQueue: nothing was stored; a note says which payload.
        ValueError: the ids are not one for each payload. Nothing was stored.
        ConfigError: as `dispatch`.
        QueueUnavailable: `stored` has the records so far.
    """
    broker, actor = _registered(job)
    given: object = payloads
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidPayload(job.name, "$", f"give a list of payloads, not a {type(given).__name__}")
    checked = [_checked_item(broker, actor, options, position, payload) for position, payload in enumerate(payloads)]
    ids = _ids(options, job_ids, len(checked))
    has_ids = job_ids is not None
    # As they are sent: of many thousands together, garbage collection would look at each part again and again.
    jobs = (_new_job(job, options, payload, job_id, has_ids) for payload, job_id in zip(checked, ids, strict=True))
    return _send(broker, job, options, jobs)


def signature_of(job: type[Job]) -> inspect.Signature:
    """The parameters of `handle` without `self`."""
    parameters = inspect.signature(job.handle).parameters.values()  # type: ignore[attr-defined]
    return inspect.Signature(list(parameters)[1:])


def _send(broker: QueueBroker, job: type[Job], options: DispatchOptions, jobs: Iterable[NewJob]) -> list[JobRecord]:
    """Store jobs now, or hold them where they are to wait for a COMMIT and a transaction is open."""
    waits = job.after_commit if options.after_commit is None else options.after_commit
    session = open_session() if (broker.config.after_commit if waits is None else waits) else None
    return broker.dispatch(jobs) if session is None else hold(session, broker, list(jobs))


def _registered(job: type[Job]) -> tuple[QueueBroker, JobActor]:
    """The current app's broker and its actor for this very class."""
    broker = current_broker()
    actor = broker.actors.get(job.name)
    if getattr(actor, "job_class", None) is not job:
        raise JobNotRegistered(job.__name__)
    return broker, cast("JobActor", actor)


def _checked(
    broker: QueueBroker, actor: JobActor, options: DispatchOptions, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Checked:
    """The payload: what `handle` takes, with its defaults, if JSON can hold it; and what the class makes of it."""
    if not args and actor.required <= kwargs.keys() <= actor.defaults.keys():
        # What `bind` does, in a tenth of its time.
        payload = {**actor.defaults, **kwargs}
    else:
        payload = _bound(actor, args, kwargs)
    text = check_payload(actor.actor_name, payload, max_bytes=broker.config.max_payload_bytes)
    job = actor.job_class
    return payload, text, _lock(job, options, payload), check_tags(job.name, job.tags(**payload))


def _bound(actor: JobActor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        bound = actor.signature.bind(*args, **kwargs)
    except TypeError as error:
        raise _explain(actor.actor_name, actor.signature, kwargs, str(error)) from None
    bound.apply_defaults()
    return bound.arguments


def _checked_item(
    broker: QueueBroker, actor: JobActor, options: DispatchOptions, position: int, payload: object
) -> Checked:
    try:
        if type(payload) is not dict and not isinstance(payload, Mapping):
            raise InvalidPayload(actor.actor_name, "$", f"give arguments by name, not a {type(payload).__name__}")
        return _checked(broker, actor, options, (), payload)
    except QueueError as error:
        error.add_note(f"This is payload {position} of dispatch_many, counted from 0; none was sent.")
        raise


def _explain(job: str, signature: inspect.Signature, kwargs: Mapping[Any, Any], reason: str) -> InvalidPayload:
    """The error for arguments that `handle` does not take, with the path to the first that is wrong or missing."""
    takes = f"handle takes ({', '.join(signature.parameters)})"
    for name in kwargs:
        if name not in signature.parameters:
            path = f"$.{name}" if isinstance(name, str) else "$"
            return InvalidPayload(job, path, f"there is no such argument; {takes}")
    for name, parameter in signature.parameters.items():
        if reason.endswith(f"{name!r}") and name not in kwargs and parameter.default is parameter.empty:
            return InvalidPayload(job, f"$.{name}", f"the argument is missing; {takes}")
    return InvalidPayload(job, "$", f"{reason}; {takes}")


def _ids(options: DispatchOptions, job_ids: Sequence[str] | None, count: int) -> Sequence[str]:
    if options.job_id is not None:
        raise ValueError("options(job_id=…) names a single job: use dispatch_many(…, job_ids=[…]), one for each")
    if job_ids is None:
        return new_ids(count)
    given: object = job_ids
    if isinstance(given, str | bytes) or not isinstance(given, Sequence) or len(given) != count:
        raise ValueError(f"job_ids must be a list with one id for each of the {count} payloads")
    return [check_job_id(job_id) for job_id in job_ids]


def _new_job(job: type[Job], options: DispatchOptions, checked: Checked, job_id: str, is_chosen: bool) -> NewJob:
    payload, text, lock, tags = checked
    now_ms = time.time_ns() // 1_000_000
    queue = options.queue_name or job.queue_name
    message = make_message(queue, job.name, job_id, now_ms, payload, dict(options.message))
    return NewJob(
        message,
        delay_ms=options.delay_ms,
        due_ms=options.due_ms,
        priority=job.priority if options.priority is None else options.priority,
        explicit_id=is_chosen,
        lock=lock,
        tags=tags,
        kwargs_json=text,
    )


def _lock(job: type[Job], options: DispatchOptions, payload: dict[str, Any]) -> str:
    """For how long the job is to be unique, and by which key; empty if it is not."""
    for_s = job.unique_for_s if options.unique_for_s is None else options.unique_for_s
    if for_s is None:
        if options.unique_key is not None:
            raise ValueError("options(unique_key=…): say for how long, with unique_for_s=… here or on the class")
        return ""
    key: object = job.unique_by(**payload) if options.unique_key is None else options.unique_key
    if not isinstance(key, str):
        raise InvalidPayload(job.name, "$", f"unique_by must return a text (str), not {type(key).__name__}")
    return f"{max(1, int(for_s * 1000))} {lock_name(job.name, key)}"
