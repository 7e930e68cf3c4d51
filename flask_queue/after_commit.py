"""Jobs that wait for the COMMIT of a Flask-SQLAlchemy session, and go with its ROLLBACK."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dramatiq.middleware import MiddlewareError
from flask import current_app

from .batches import NewJob
from .broker import QueueBroker
from .errors import ConfigError, JobIdConflict, QueueError, QueueUnavailable
from .record import JobRecord
from .redact import redact
from .store.keys import full_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, SessionTransaction

logger = logging.getLogger("flask_queue")

#: Where a session keeps its jobs.
KEY = "flask_queue.held"
#: Characters of a payload in the log: enough to dispatch nearly all of them again by hand.
LONGEST_PAYLOAD = 10_000
#: Up to so many ids a log line has.
NAMED = 20


@dataclass(slots=True)
class Held:
    """The jobs of one transaction, or savepoint, in the order of their dispatch."""

    jobs: list[tuple[QueueBroker, NewJob]] = field(default_factory=list)
    is_committed: bool = False


def open_session() -> Session | None:
    """The current app's session, if it is in a transaction.

    Raises:
        ConfigError: the app has no Flask-SQLAlchemy.
    """
    registry = getattr(getattr(current_app.extensions.get("sqlalchemy"), "session", None), "registry", None)
    if registry is None:
        fault = (
            f"after_commit needs Flask-SQLAlchemy, which app {current_app.name!r} does not have: call "
            "db.init_app(app), or leave after_commit and QUEUE_AFTER_COMMIT out"
        )
        raise ConfigError([fault])
    # To ask for a session would make one.
    session: Session | None = registry() if registry.has() else None
    return session if session is not None and session.in_transaction() else None


def hold(session: Session, broker: QueueBroker, jobs: Sequence[NewJob]) -> list[JobRecord]:
    """Check jobs now, and store them once the session's transaction is committed.

    Args:
        session: in a transaction.
        broker: of the current app.
        jobs: to store.

    Returns: their records, with `pending_commit`.

    Raises:
        UnknownQueue, InvalidPayload, PayloadTooLarge: one of them can not be stored; none will be.
    """
    for job in jobs:
        broker.pack(job)
    transaction = session.get_nested_transaction() or session.get_transaction()
    held = session.info.setdefault(KEY, {}).setdefault(transaction, Held())
    _listen(session, after_transaction_end=_ended)
    if _is_committed(transaction):
        held.is_committed = True
    else:
        _listen(session, after_commit=_committed, after_rollback=_rolled_back)
    # What becomes of the caller's lists and dicts until COMMIT is no part of the job.
    held.jobs += ((broker, job._replace(message=deepcopy(job.message))) for job in jobs)
    records = [replace(broker.unstored(job), pending_commit=True) for job in jobs]
    if broker.substitute is not None:
        broker.substitute.held(records)
    return records


def _listen(session: Session, **handlers: Callable[..., None]) -> None:
    """To one session, not to its class: other threads are inside of events of that, and must not find them changed."""
    from sqlalchemy import event

    for name, handler in handlers.items():
        if not event.contains(session, name, handler):
            event.listen(session, name, handler)


def _is_committed(transaction: Any) -> bool:
    """Whether this is a handler of `after_commit`. SQLAlchemy tells by no public name."""
    from sqlalchemy.orm.session import SessionTransactionState

    return transaction._state is SessionTransactionState.COMMITTED


def _committed(session: Session) -> None:
    """A transaction is committed, or a savepoint released; both end a little later."""
    transaction = session.get_nested_transaction() or session.get_transaction()
    held = session.info.get(KEY, {}).get(transaction)
    if held is not None:
        held.is_committed = True


def _rolled_back(session: Session) -> None:
    """Drop without a word: what belongs to a savepoint goes when that ends."""
    if session.get_nested_transaction() is None:
        session.info.get(KEY, {}).pop(session.get_transaction(), None)


def _ended(session: Session, transaction: SessionTransaction) -> None:
    """Send what was committed; by now the session has given its connection back, and can begin anew."""
    everything: dict[SessionTransaction, Held] = session.info.get(KEY, {})
    held = everything.pop(transaction, None)
    if held is None:
        return
    if transaction.parent is not None:
        if held.is_committed:
            _listen(session, after_commit=_committed, after_rollback=_rolled_back)
            everything.setdefault(_enclosing(transaction.parent), Held()).jobs += held.jobs
    elif held.is_committed:
        _send_all(held.jobs)
    else:
        ids = [_id_of(job) for _, job in held.jobs]
        logger.warning(
            "Dropped %d job%s, as the database session was closed without COMMIT: %s%s. Commit after the dispatch, or "
            "dispatch with after_commit=False what needs no COMMIT.",
            len(ids),
            "" if len(ids) == 1 else "s",
            ", ".join(ids[:NAMED]),
            " …" if len(ids) > NAMED else "",
        )


def _enclosing(transaction: SessionTransaction) -> SessionTransaction:
    """The savepoint or transaction that this is part of: a flush has one of its own."""
    while not transaction.nested and transaction.parent is not None:
        transaction = transaction.parent
    return transaction


def _send_all(jobs: Sequence[tuple[QueueBroker, NewJob]]) -> None:
    by_broker: dict[QueueBroker, list[NewJob]] = {}
    for broker, job in jobs:
        by_broker.setdefault(broker, []).append(job)
    for broker, its_jobs in by_broker.items():
        # A queue after the other, as one call stores jobs of one queue; inside each the order of dispatch stays.
        _send(broker, sorted(its_jobs, key=lambda job: job.message.queue_name))


def _send(broker: QueueBroker, jobs: list[NewJob]) -> None:
    """Store jobs. Nothing is raised: it would look as if the COMMIT had failed."""
    while jobs:
        try:
            broker.dispatch(jobs)
            return
        except JobIdConflict as error:
            # The others must not go with it.
            refused = [job for job in jobs if _id_of(job) == error.job_id and job.message.actor_name != error.taken_by]
            _give_up(broker, refused, error)
            settled = {(record.id, record.name) for record in error.stored}
            settled |= {(_id_of(job), job.message.actor_name) for job in refused}
            jobs = [job for job in jobs if (_id_of(job), job.message.actor_name) not in settled]
        except QueueUnavailable as error:
            if broker.substitute is not None:
                raise  # by a job that ran inline
            # The broker has told of them.
            _log(broker, jobs[len(error.stored) :], error)
            return
        except (QueueError, MiddlewareError) as error:
            if broker.substitute is not None:
                raise
            _give_up(broker, jobs, error)
            return


def _give_up(broker: QueueBroker, jobs: Sequence[NewJob], error: Exception) -> None:
    _log(broker, jobs, error)
    broker.tell_of_failure(jobs, error)


def _log(broker: QueueBroker, jobs: Sequence[NewJob], error: Exception) -> None:
    for job in jobs:
        payload = json.dumps(redact(job.message.kwargs, broker.config.redact), ensure_ascii=False)
        cut = payload[:LONGEST_PAYLOAD] + ("…" if len(payload) > LONGEST_PAYLOAD else "")
        logger.error(
            "%s %s was not dispatched after COMMIT: %s Its payload: %s", job.message.actor_name, _id_of(job), error, cut
        )


def _id_of(job: NewJob) -> str:
    return full_id(job.message.queue_name, job.message.message_id)
