"""One queue in a worker: what it holds, what is to be settled, when to look again."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence

from dramatiq.errors import ActorNotFound

from ..broker import QueueBroker
from ..config import Queue
from ..delivery import Delivery
from ..outcome import Failed, GivenBack, Outcome
from ..record import JobError
from ..store.codec import unpack
from ..store.transitions import BATCH, Claimed, CycleReply, CycleRequest, Limits, Settlement
from .executor import Ended
from .pool import Pool

logger = logging.getLogger("flask_queue.worker")

#: A claimed job that no thread has started after this goes back, for a worker with an idle thread.
IN_HAND_S = 0.020
NEVER_S = float("inf")


class Lane:
    """The pump's side of one queue. Belongs to the pump's thread."""

    def __init__(self, broker: QueueBroker, pool: Pool, worker: str, *, beat_s: float) -> None:
        self.pool = pool
        self.queue = pool.queue
        self._broker = broker
        self._worker = worker
        self._beat_s = beat_s
        self._limits = _limits_of(broker.queues[pool.queue])
        #: There may be jobs: ask for as many as the pool wants.
        self.is_hungry = True
        self.beat_at_s = 0.0
        self.due_at_s = NEVER_S
        self.reap_at_s = NEVER_S
        #: The rate limit lets nobody claim before.
        self.opens_at_s = NEVER_S
        #: Ready jobs that the last reply left to others.
        self.left = 0
        #: Claimed, and not known to be settled: local id and run number.
        self._held: set[tuple[str, int]] = set()
        #: Of these, claimed ahead of idle threads and not reported as started.
        self._ahead: dict[tuple[str, int], Delivery] = {}
        self._in_hand_until_s = NEVER_S
        self._pending: list[Settlement] = []

    @property
    def is_clear(self) -> bool:
        """Nothing runs and nothing waits to be settled."""
        return not self._held and not self._pending

    @property
    def held_ids(self) -> list[str]:
        """Local ids of the jobs this worker knows it holds."""
        return [local_id for local_id, _ in self._held]

    def next_look_s(self) -> float:
        """When this lane needs a cycle or a look, on the monotonic clock."""
        return min(self.beat_at_s, self.due_at_s, self.reap_at_s, self.opens_at_s, self._in_hand_until_s)

    def ended(self, ended: Ended) -> None:
        """Note the end of a run."""
        self.pool.ended(ended.runtime_s)
        delivery = ended.delivery
        self._ahead.pop((delivery.local_id, delivery.number), None)
        self._settle(delivery, ended.outcome, ended.runtime_ms)

    def has_news(self, *, accepting: bool) -> bool:
        """Whether there is something to say to Redis now."""
        if self._pending or time.monotonic() >= min(self.beat_at_s, self.due_at_s, self.opens_at_s):
            return True
        return accepting and self.is_hungry and self.pool.wanted > 0

    def request(self, *, accepting: bool) -> CycleRequest:
        """What this lane has to say."""
        return CycleRequest(
            self.queue,
            want=min(self.pool.wanted, BATCH) if accepting else 0,
            idle=self.pool.idle,
            settlements=self._pending[:BATCH],
            started=self._started(),
            limits=self._limits,
        )

    @property
    def is_listening(self) -> bool:
        """Whether it would take a marker: not where it looks again anyway, now or when the rate limit allows it."""
        return bool(self.pool.idle) and not self.is_hungry and self.opens_at_s == NEVER_S

    def woken(self) -> None:
        """Look again, as a marker said. Until the rate limit allows it there is nothing to see: then its timer looks."""
        if self.opens_at_s == NEVER_S:
            self.look_again()

    def look_again(self) -> None:
        """Make the next look at this queue happen now. Also where no thread is idle: the cycle passes a marker on."""
        self.is_hungry = True
        self.beat_at_s = 0.0

    def return_overdue(self) -> None:
        """Give back what has been in a thread's hand for too long: its pool has met longer jobs."""
        if time.monotonic() >= self._in_hand_until_s:
            self.give_back()
            self.pool.expect(IN_HAND_S)

    def apply(self, request: CycleRequest, reply: CycleReply) -> None:
        """Take in what a cycle brought."""
        for settlement in request.settlements:
            self._held.discard((settlement.local_id, settlement.number))
        del self._pending[: len(request.settlements)]
        for local_id, number in request.started:
            self._ahead.pop((local_id, number), None)
        now_s = time.monotonic()
        self.beat_at_s = now_s + self._beat_s
        self.due_at_s = now_s + (reply.next_due_ms - reply.now_ms) / 1000 if reply.next_due_ms else NEVER_S
        self.reap_at_s = self._lease_end_s(now_s, reply)
        self.opens_at_s = now_s + (reply.opens_ms - reply.now_ms) / 1000 if reply.opens_ms > 0 else NEVER_S
        self.left = reply.left
        self.is_hungry = (reply.left > 0 and reply.opens_ms == 0) or self.due_at_s <= now_s
        self.take(reply.claimed, idle=request.idle)

    def take(self, claimed: Iterable[Claimed], *, idle: int) -> None:
        """Hand claimed jobs to the pool; the first `idle` find a thread waiting."""
        for position, job in enumerate(claimed):
            key = (job.local_id, job.state.number)
            if key in self._held:
                continue
            self._held.add(key)
            delivery = self._delivery(job)
            if delivery is None:
                continue
            if position >= idle:
                self._ahead[key] = delivery
                self._in_hand_until_s = time.monotonic() + IN_HAND_S
            self.pool.give(delivery)

    def give_back(self) -> None:
        """Return what no thread has started. The last claimed first, as each goes to the very front of the queue."""
        self._in_hand_until_s = NEVER_S
        returned = self.pool.take_back()
        for delivery in reversed(returned):
            self._ahead.pop((delivery.local_id, delivery.number), None)
            self._settle(delivery, GivenBack(), 0)

    def give_up(self) -> None:
        """Return what still runs, too: its thread could not be interrupted, and its own end will come too late."""
        settled = {(settlement.local_id, settlement.number) for settlement in self._pending}
        for local_id, number in self._held - settled:
            logger.warning("Job %s:%s does not stop; it goes back to its queue.", self.queue, local_id)
            self._pending.append(Settlement(local_id, number, 0, GivenBack()))

    def _settle(self, delivery: Delivery, outcome: Outcome, runtime_ms: int) -> None:
        self._pending.append(Settlement(delivery.local_id, delivery.number, runtime_ms, outcome))

    def _started(self) -> Sequence[tuple[str, int]]:
        return [key for key, delivery in self._ahead.items() if delivery.started] if self._ahead else ()

    def _lease_end_s(self, now_s: float, reply: CycleReply) -> float:
        return now_s + self._broker.config.lease_s + (reply.oldest_beat_ms - reply.now_ms) / 1000

    def _delivery(self, job: Claimed) -> Delivery | None:
        """The job as a delivery; one that cannot be run is settled as failed at once."""
        try:
            message = unpack(self.queue, job.local_id, job.state.created_ms, job.message)
        except ValueError as error:
            self._refuse(job, JobError("InvalidPayload", f"its stored message cannot be read: {error}"))
            return None
        delivery = Delivery(self._broker, message, job.state, self._worker)
        try:
            self._broker.get_actor(message.actor_name)
        except ActorNotFound as error:
            delivery.fail()
            delivery.stuff_exception(error)
            self._broker.emit_before("nack", delivery)
            self._broker.emit_after("nack", delivery)
            self._refuse(job, _unknown_job(message.actor_name))
            return None
        return delivery

    def _refuse(self, job: Claimed, error: JobError) -> None:
        logger.error("Job %s:%s fails: %s", self.queue, job.local_id, error.message)
        self._pending.append(Settlement(job.local_id, job.state.number, 0, Failed(error)))


def _limits_of(queue: Queue) -> Limits:
    rate = queue.rate_limit
    running = queue.max_running or 0
    # Rounded up: a window that is cut short would let one claim too many through.
    return Limits(rate.limit, math.ceil(rate.per_s * 1000), running) if rate else Limits(running=running)


def _unknown_job(name: str) -> JobError:
    return JobError(
        "UnknownJob",
        f"no job named {name!r} is registered with this worker's app: add its class to FlaskQueue(jobs=[…]), or start "
        "workers of the release that has it, then retry the job",
    )
