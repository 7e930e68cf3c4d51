"""The server that a command talks to: found, and known to answer, before anything is done."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread

import click
from flask import current_app

from ..broker import QueueBroker
from ..current import current_broker
from ..errors import QueueError, QueueUnavailable
from ..monitor import Monitor
from ..operations import Operations
from ..store.connect import explain
from ..store.store import Store
from . import beacon
from .text import one_line

#: Seconds until a server that does not answer counts as away: a command ends within 3, and starting takes its part.
REACH_S = 1.5


def monitor() -> Monitor:
    """The current app's jobs, on a server that answers.

    Raises:
        QueueUnavailable: none does, `REACH_S` at the latest.
    """
    return Monitor(reachable_broker())


def operations() -> Operations:
    """What can be done to the current app's jobs, on a server that answers; the audit trail names the system's user.

    Raises:
        QueueUnavailable: none does, `REACH_S` at the latest.
    """
    return Operations(reachable_broker(), actor=actor())


def words() -> Sequence[str]:
    """The keys that the current app keeps secret."""
    return current_broker().config.redact


def reachable_broker() -> QueueBroker:
    """The current app's broker, on a server that answers: with nothing configured, that of a running `dev`.

    Raises:
        QueueUnavailable: none does, `REACH_S` at the latest.
    """
    broker = current_broker()
    if not broker.config.redis_configured and (address := beacon.find(current_app.instance_path)):
        click.echo(f"Using {one_line(address)}, the server of the running `flask queue dev`.", err=True)
        broker.store = broker.store.at(address)
    check(broker.store)
    return broker


def check(store: Store) -> None:
    """Make sure that the server answers, and start it if it is an embedded one.

    Raises:
        QueueUnavailable: it does not, `REACH_S` at the latest; embedded ones have a time limit of their own.
    """
    answers: SimpleQueue[QueueError | None] = SimpleQueue()
    # On a thread, because no time-out covers the look-up of a host name.
    Thread(target=lambda: answers.put(_ping(store)), daemon=True).start()
    try:
        error = answers.get(timeout=None if store.is_embedded else REACH_S)
    except Empty:
        raise QueueUnavailable(explain(store.client, TimeoutError(f"no answer within {REACH_S:g} s"))) from None
    if error is not None:
        raise error


def actor() -> str:
    """Who acts, as the audit trail tells it: the system's user."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        # Containers run under numbers that have no name.
        return f"cli:{os.getuid()}"


def _ping(store: Store) -> QueueError | None:
    try:
        store.client.ping()
    except QueueError as error:
        return error
    except Exception as error:
        return QueueUnavailable(explain(store.client, error))
    return None
