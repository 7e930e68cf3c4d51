"""The whole examination, and the repair of what can be repaired."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial

from redis.exceptions import NoPermissionError

from ..broker import QueueBroker
from ..store.repairs import Names, Repairs, new_names
from .finding import Finding, Level, guard
from .queues import look_at_unknown, look_at_workers
from .server import look_at_clock, look_at_eviction, look_at_persistence, look_at_scripts, look_at_version
from .stored import look_at_stored

logger = logging.getLogger("flask_queue.audit")

_LOOKS: tuple[tuple[str, Callable[[QueueBroker], Iterable[Finding]]], ...] = (
    ("version", look_at_version),
    ("eviction", look_at_eviction),
    ("persistence", look_at_persistence),
    ("clock", look_at_clock),
    ("scripts", look_at_scripts),
    ("workers", look_at_workers),
)


def examine(broker: QueueBroker) -> Iterator[Finding]:
    """Look at everything, and change nothing. Safe while workers run.

    Redis: each call is bounded; how many there are grows with the number of jobs, and of keys on the server.
    """
    for check, look in _LOOKS:
        yield from guard(check, partial(look, broker))

    def look_at_keys() -> Iterator[Finding]:
        names = yield from _names(broker)
        yield from look_at_unknown(broker, names)
        yield from look_at_stored(broker, names, fix=False)

    yield from guard("orphans", look_at_keys)


def repair(broker: QueueBroker, actor: str | None) -> Iterator[Finding]:
    """Put right what can be, safe while workers run and safe to repeat; logged, and kept in the audit trail.

    Nothing that is whole is touched, and no job is deleted: one that is in no list goes back into the right one.
    """

    def look_and_fix() -> Iterator[Finding]:
        names = yield from _names(broker)
        for finding in look_at_stored(broker, names, fix=True):
            if finding.level is Level.OK:
                logger.info("repair %s by %s", json.dumps(finding.message), actor or "code")
                broker.store.audit.note("repair", "*", actor, {"what": finding.message})
            yield finding

    yield from guard("orphans", look_and_fix)


def _names(broker: QueueBroker) -> Generator[Finding, None, Names]:
    """The names of all our keys; none where the server keeps them from us: what is inside of known keys is enough."""
    try:
        return Repairs(broker.store.client, broker.config.prefix).names()
    except NoPermissionError as error:
        message = f"names of keys could not be read, so some orphans and unknown queues are not seen: {error}"
        yield Finding("orphans", Level.WARNING, message, "Grant the user of QUEUE_REDIS_URL +scan with ACL SETUSER.")
        return new_names()
