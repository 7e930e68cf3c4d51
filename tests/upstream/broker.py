"""Our broker and worker, with the names by which Dramatiq's tests look at theirs.

Dramatiq's stub broker has conveniences for tests, which its tests use all over. Here they look at our store. Nothing is
changed in how jobs are stored and run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import dramatiq
from dramatiq import MessageProxy, Middleware
from dramatiq.brokers.stub import _StubMessageProxy
from dramatiq.errors import QueueJoinTimeout
from flask import Flask

from flask_queue.broker import QueueBroker
from flask_queue.config import Config
from flask_queue.delivery import Delivery
from flask_queue.errors import UnknownQueue
from flask_queue.middleware import default_middleware
from flask_queue.middleware.app_context import AppContext
from flask_queue.outcome import Completed, Failed, Outcome
from flask_queue.queues import Queue
from flask_queue.record import JobError
from flask_queue.store.codec import unpack
from flask_queue.store.queries import Queries
from flask_queue.store.store import Store
from flask_queue.store.transitions import Claimed, CycleReply, CycleRequest, Settlement
from flask_queue.worker import Worker
from tests.support import wait_until

#: Seconds that `join` waits where the test sets no limit.
PATIENCE_S = 60.0
#: The worker as which a test claims and settles by hand.
BY_HAND = "by-hand"


class TestedBroker(QueueBroker):
    """Our broker.

    Args:
        url: where Redis is.
        fail_fast: `join` raises what a message failed with, unless the call says otherwise.
    """

    __test__ = False

    def __init__(self, url: str, *, fail_fast: bool) -> None:
        self._app = Flask(__name__)
        self._fail_fast = fail_fast
        config = Config(redis_url=url, queues=_Queues(self))
        store = Store(url, prefix=config.prefix, dispatch_timeout_s=2, socket_timeout_s=5)
        super().__init__(config, store, middleware=_middleware(self._app))
        #: The messages that ended as failed.
        self.dead_letters: list[MessageProxy] = []
        self.add_middleware(_DeadLetters(self.dead_letters))

    def counts(self, queue_name: str) -> dict[str, int]:
        """How many jobs the queue has in each state."""
        return Queries(self.store, [queue_name], self.max_retries_of).counts()[queue_name]

    def join(self, queue_name: str, *, timeout: int | None = None, fail_fast: bool | None = None) -> None:
        """Wait until every job of the queue has ended; `timeout` in milliseconds."""
        if queue_name not in self.queues:
            raise UnknownQueue(queue_name)
        timeout_s = PATIENCE_S if timeout is None else timeout / 1000
        try:
            wait_until(lambda: self.counts(queue_name).items() >= _NOTHING_LEFT.items(), timeout_s)
        except AssertionError:
            raise QueueJoinTimeout(queue_name) from None
        if self._fail_fast if fail_fast is None else fail_fast:
            for message in self.dead_letters:
                if message.queue_name == queue_name:
                    raise message._exception or Exception("it failed without an exception")

    def flush_all(self) -> None:
        """Forget every job of every queue."""
        for queue_name in self.queues:
            for key in self.store.client.scan_iter(match=f"{self.store.transitions.keys(queue_name).tag}:*"):
                self.store.client.delete(key)
        self.dead_letters.clear()

    def cycle(self, request: CycleRequest) -> CycleReply:
        """Do what a worker's pump does in one round trip."""
        [reply] = self.store.transitions.cycle(self.store.client, BY_HAND, self.retention, [request])
        assert isinstance(reply, CycleReply), reply
        return reply

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 100) -> Consumer:
        """Claim by hand; `timeout` in milliseconds."""
        return Consumer(self, queue_name, timeout / 1000)


class Consumer(dramatiq.Consumer):
    """Claims and settles one job after the other, by the same transition as our pump."""

    def __init__(self, broker: TestedBroker, queue_name: str, timeout_s: float) -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._timeout_s = timeout_s

    def __next__(self) -> Delivery | None:
        try:
            [job] = wait_until(self._claim, self._timeout_s)
        except AssertionError:
            return None
        message = unpack(self._queue_name, job.local_id, job.state.created_ms, job.message)
        return Delivery(self._broker, message, job.state, BY_HAND)

    def ack(self, message: MessageProxy) -> None:
        """Settle as completed."""
        self._settle(message, Completed())

    def nack(self, message: MessageProxy) -> None:
        """Settle as failed."""
        self._settle(message, Failed(JobError("Rejected", "by hand")))

    def _claim(self) -> Sequence[Claimed]:
        return self._broker.cycle(CycleRequest(self._queue_name, want=1, idle=1)).claimed

    def _settle(self, message: MessageProxy, outcome: Outcome) -> None:
        number = message.number if isinstance(message, Delivery) else 1
        settlement = Settlement(message.message_id, number, 0, outcome)
        self._broker.cycle(CycleRequest(self._queue_name, settlements=[settlement]))


class TestedWorker(Worker):
    """Our worker; `worker_threads` for each queue."""

    __test__ = False

    def __init__(
        self,
        broker: TestedBroker,
        *,
        queues: set[str] | None = None,
        worker_timeout: int = 1000,
        worker_threads: int = 8,
    ) -> None:
        threads = _EveryQueue(worker_threads) if queues is None else dict.fromkeys(queues, worker_threads)
        super().__init__(broker, threads)
        #: Dramatiq's workers poll in this interval (ms). Ours don't; tests allow for it in what they measure.
        self.worker_timeout = worker_timeout
        self._tested = broker

    @property
    def consumers(self) -> dict[str, SimpleNamespace]:
        """A consumer for each queue that it serves."""
        served = [queue for queue in self._tested.queues if queue in self._pump.lanes]
        return {queue: SimpleNamespace(consumer=self._tested.consume(queue)) for queue in served}

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing runs."""
        wait_until(lambda: not self._active(), PATIENCE_S if timeout_s is None else timeout_s)
        return True

    def _active(self) -> int:
        return sum(self._tested.counts(queue)["active"] for queue in self._tested.queues)


@dataclass(frozen=True)
class OpenQueue(Queue):
    """A queue whose messages can be read and written as they are sent, like those of Dramatiq's stub."""

    broker: TestedBroker | None = None

    def get(self, timeout: float) -> bytes:
        """Take the next message; `timeout` in seconds."""
        assert self.broker is not None
        message = next(self.broker.consume(self.name, timeout=round(timeout * 1000)))
        assert message is not None
        return message._message.encode()

    def put(self, data: bytes) -> None:
        """Store a message."""
        assert self.broker is not None
        self.broker.enqueue(dramatiq.Message.decode(data))


_NOTHING_LEFT = {"waiting": 0, "delayed": 0, "active": 0}


class _Queues(dict[str, Queue]):
    """The configured queues: all there can be."""

    def __init__(self, broker: TestedBroker) -> None:
        super().__init__(default=Queue("default"))
        self._broker = broker

    def get(self, name: str, default: Any = None) -> OpenQueue:
        return OpenQueue(name, broker=self._broker)


class _EveryQueue(dict[str, int]):
    """The same number of threads for every queue."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._threads = threads

    def __contains__(self, queue: object) -> bool:
        return True

    def __missing__(self, queue: str) -> int:
        return self._threads


class _DeadLetters(Middleware):
    """Keeps what failed. Its exception too, as far as Dramatiq's stub would: one test switches that off."""

    def __init__(self, letters: list[MessageProxy]) -> None:
        self._letters = letters

    def after_nack(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        letter = _StubMessageProxy(message._message)
        if message._exception is not None:
            letter.stuff_exception(message._exception)
        letter.clear_exception()
        self._letters.append(letter)


def _middleware(app: Flask) -> list[Middleware]:
    """Our own list. The app context comes last: tests that add to the list expect AgeLimit at its head."""
    made = default_middleware(app)
    return sorted(made, key=lambda middleware: isinstance(middleware, AppContext))
