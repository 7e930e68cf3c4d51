"""Running what is due in the real store by hand, in the test's own thread."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from flask import current_app

from ..broker import QueueBroker
from ..current import current_broker
from ..environment import given_number, seconds
from ..errors import QueueError, UnknownQueue
from ..record import JobRecord
from ..store.codec import unpack
from ..store.connect import translate_errors
from ..store.transitions import Claimed, CycleReply, CycleRequest, Limits, Settlement
from ..worker.announcer import Announcer
from .runs import HeldDelivery, run

#: Where an app keeps the journeys of a test: when each was made, and how far, both in ms.
TRAVELS_KEY = "queue.travels"


def run_once(queue_names: Iterable[str] | None = None) -> int:
    """Run what is due now, each job once: not what follows from it. As `drain` in everything else.

    Args:
        queue_names: only of these; None for all.

    Returns: how many runs there were.
    """
    with_hands = _hands(queue_names)
    return sum(hand.run(hand.ready()) for hand in with_hands)


def drain(queue_names: Iterable[str] | None = None) -> int:
    """Run what is due, and what that leads to, until nothing is; in this thread, on the current app and its real store.

    Jobs run as a worker runs them, with their retries: what they raise is kept in their records. There is no time-out.

    Args:
        queue_names: only of these; None for all.

    Returns: how many runs there were.

    Raises:
        UnknownQueue: no such queue.
        QueueUnavailable: Redis is away.
        QueueError: outside of an app context, or inside `queue.fake()` or `queue.inline()`.
    """
    hands = _hands(queue_names)
    count = 0
    while ran := sum(hand.run(None) for hand in hands):
        count += ran
    return count


def travel(seconds_: float, /) -> None:
    """Let time pass for jobs that are there: delays and back-offs are over so much earlier, and jobs are so much older.

    The clock of `run_once` and `drain` alone is moved: no other process, unique key or rate limit sees anything of it.

    Args:
        seconds_: how much, 0 or more.

    Raises:
        ValueError: no such number.
        QueueUnavailable, QueueError: as `drain`.
    """
    ms = round(1000 * given_number("travel", "seconds", seconds_, seconds()))
    broker = _broker()
    client = broker.store.client
    with translate_errors(client):
        for queue in broker.queues:
            key = broker.store.transitions.keys(queue)["delayed"]
            delayed: Any = client.zrange(key, 0, -1, withscores=True)
            for local_id, due_ms in delayed:
                broker.store.actions.reschedule(queue, local_id.decode(), max(1, int(due_ms) - ms))
        at_ms = _now_ms(client)
        # What is dispatched next is told from what was there by its time, which has a millisecond at least.
        while _now_ms(client) == at_ms:
            pass
    current_app.extensions.setdefault(TRAVELS_KEY, []).append((at_ms, ms))


def _now_ms(client: Any) -> int:
    """Redis's clock."""
    now, micros = client.time()
    return int(now) * 1000 + int(micros) // 1000


class Hand:
    """Works on one queue as a worker would that has one thread."""

    def __init__(self, broker: QueueBroker, queue: str, travels: list[tuple[int, int]]) -> None:
        self._broker = broker
        self._queue = queue
        self._travels = travels
        self._worker = f"test-{os.getpid()}-{secrets.token_hex(3)}"
        self._limits = Limits.of(broker.queues[queue])
        self._teller = _Teller(broker, lambda: None)

    def ready(self) -> int:
        """How many jobs are due."""
        return self._cycle(want=0).left

    def run(self, most: int | None) -> int:
        """Run jobs until none is due, or so many have run; how many did."""
        count = 0
        try:
            while count != most:
                reply = self._cycle(want=1)
                if not reply.claimed:
                    break
                for job in reply.claimed:
                    self._run(job, reply.now_ms)
                    count += 1
        finally:
            with translate_errors(self._broker.store.client):
                self._broker.store.transitions.leave(self._broker.store.client, [self._queue], self._worker)
        return count

    def _run(self, job: Claimed, now_ms: int) -> None:
        message = unpack(self._queue, job.local_id, job.state.created_ms, job.message)
        claimed_ms = now_ms + self._travelled(job)
        delivery = HeldDelivery(self._broker, message, job.state, self._worker, claimed_ms=claimed_ms)
        ended = run(self._broker, delivery)
        settlement = Settlement(job.local_id, job.state.number, ended.runtime_ms, ended.outcome)
        reply = self._cycle(want=0, settlement=settlement)
        self._teller.settled(delivery, settlement, reply)
        if delivery.ends_the_test and delivery.raised is not None:
            raise delivery.raised

    def _travelled(self, job: Claimed) -> int:
        """How much older it is by journeys; a delayed one was made due so much earlier."""
        return 0 if job.state.due_ms else sum(ms for at_ms, ms in self._travels if at_ms >= job.state.created_ms)

    def _cycle(self, *, want: int, settlement: Settlement | None = None) -> CycleReply:
        store = self._broker.store
        settlements = [settlement] if settlement else []
        request = CycleRequest(self._queue, want, want, settlements, limits=self._limits)
        with translate_errors(store.client):
            (reply,) = store.transitions.cycle(store.client, self._worker, self._broker.retention, [request])
            if not isinstance(reply, CycleReply):
                raise reply
        return reply


class _Teller(Announcer):
    """Sends signals at once."""

    def _send(self, signal: Any, make_record: Callable[[], JobRecord]) -> None:
        self._broker.tell(signal, record=make_record())


def _hands(queue_names: Iterable[str] | None) -> list[Hand]:
    broker = _broker()
    names = list(broker.queues) if queue_names is None else list(queue_names)
    for name in names:
        if name not in broker.queues:
            raise UnknownQueue(name, tuple(broker.queues))
    travels = current_app.extensions.get(TRAVELS_KEY, [])
    return [Hand(broker, name, travels) for name in names]


def _broker() -> QueueBroker:
    broker = current_broker()
    if broker.substitute is not None:
        raise QueueError("Inside queue.fake() and queue.inline() nothing is stored: there is nothing to run by hand.")
    return broker
