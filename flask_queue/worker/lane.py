"""One queue in a worker: what it holds, what is to be settled, when to look again."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence

from redis.exceptions import RedisError

from ..broker import QueueBroker
from ..delivery import Delivery
from ..outcome import Failed, GivenBack, Outcome
from ..record import JobError
from ..store.codec import unpack
from ..store.connect import reason_of
from ..store.transitions import BATCH, SUSPECT_FROM, Claimed, CycleReply, CycleRequest, Limits, Reaped, Settlement
from .announcer import Announcer
from .executor import Ended
from .outage import Outage
from .pool import Pool

logger = logging.getLogger("flask_queue.worker")

#: A claimed job that no thread has started after this goes back, for a worker with an idle thread.
IN_HAND_S = 0.020
#: How often a worker with running jobs looks whether they were asked to stop.
ASK_S = 0.8
NEVER_S = float("inf")


class Lane:
    """The pump's side of one queue. Belongs to the pump's thread."""

    def __init__(self, broker: QueueBroker, pool: Pool, worker: str, announcer: Announcer, *, beat_s: float) -> None:
        self.pool = pool
        self.queue = pool.queue
        self._broker = broker
        self._worker = worker
        self._announcer = announcer
        self._beat_s = beat_s
        self._limits = Limits.of(broker.queues[pool.queue])
        #: There may be jobs: ask for as many as the pool wants.
        self.is_hungry = True
        self.beat_at_s = 0.0
        self.due_at_s = NEVER_S
        self.reap_at_s = NEVER_S
        #: The rate limit lets nobody claim before.
        self.opens_at_s = NEVER_S
        #: Redis refuses this queue's scripts, and no other's.
        self.outage: Outage | None = None
        #: This worker's beats had a gap, by Redis's clock, in which others may not have beaten either.
        self.was_silent = False
        #: Claimed, and not known to be settled, by local id and run number; None for what is not to run.
        self._held: dict[tuple[str, int], Delivery | None] = {}
        #: Of these, claimed ahead of idle threads and not reported as started.
        self._ahead: dict[tuple[str, int], Delivery] = {}
        self._in_hand_until_s = NEVER_S
        #: Claimed, and to run alone in this process; the first of them is next.
        self._suspects: deque[Delivery] = deque()
        #: The suspect whose turn it is. Redis is told that it starts before it does: it may take the process with it.
        self._alone: Delivery | None = None
        self._pending: list[Settlement] = []
        #: Of these, sent in a cycle whose reply was lost: they may be settled already.
        self._unheard: set[str] = set()
        self._last_beat_ms = 0
        #: When the last cycle was asked for, and Redis's clock less ours, as of then: never too low.
        self._asked_at_s = 0.0
        self._clock_ahead_s = 0.0
        self._silence_ms = (broker.config.lease_s - beat_s) * 1000

    @property
    def is_clear(self) -> bool:
        """Nothing runs and nothing waits to be settled."""
        return not self._held and not self._pending

    @property
    def has_suspects(self) -> bool:
        """A job runs alone, or waits for that: nothing else may start in this process."""
        return self.is_alone or self.has_waiting_suspects

    @property
    def has_waiting_suspects(self) -> bool:
        """A job waits until it can run alone."""
        return bool(self._suspects)

    @property
    def is_alone(self) -> bool:
        """A job runs alone, or is about to."""
        return self._alone is not None

    @property
    def is_quiet(self) -> bool:
        """Nothing runs, and nothing is about to."""
        return self._alone is None and self.pool.is_empty

    @property
    def is_sending(self) -> bool:
        """Something waits to be settled, and nothing keeps it."""
        return bool(self._pending) and self.outage is None

    @property
    def held_ids(self) -> list[str]:
        """Local ids of the jobs this worker knows it holds."""
        return [local_id for local_id, _ in self._held]

    def knows_of(self, held: int) -> bool:
        """Whether these are all jobs that Redis says it holds."""
        return held <= len(self._held)

    def next_cycle_s(self, *, accepting: bool) -> float:
        """When there is something to say to Redis, on the monotonic clock: 0 for now."""
        if self.outage is not None:
            return self.outage.retry_at_s
        if self._pending or self._is_announcing or (accepting and self.is_hungry and self.pool.wanted > 0):
            return 0.0
        return min(self.beat_at_s, self.due_at_s, self.opens_at_s)

    def next_look_s(self, *, accepting: bool, reaping_from_s: float) -> float:
        """When this lane needs anything, on the monotonic clock."""
        look_s = min(self.next_cycle_s(accepting=accepting), self._in_hand_until_s)
        return look_s if self.outage is not None else min(look_s, max(self.reap_at_s, reaping_from_s))

    def ended(self, ended: Ended) -> None:
        """Note the end of a run."""
        self.pool.ended(ended.runtime_s)
        delivery = ended.delivery
        self._ahead.pop((delivery.local_id, delivery.number), None)
        if delivery is self._alone:
            self._alone = None
        self._settle(delivery, ended.outcome, ended.runtime_ms)

    def begin_alone(self) -> bool:
        """Begin with a suspect, if there is one: this process is quiet."""
        if self._suspects:
            self._alone = self._suspects.popleft()
        return self._alone is not None

    def put_off_suspects(self, delay_ms: int) -> None:
        """Return those whose turn has not come."""
        while self._suspects:
            self._settle(self._suspects.popleft(), GivenBack(delay_ms), 0)

    def request(self, *, accepting: bool) -> CycleRequest:
        """What this lane has to say."""
        self._asked_at_s = time.monotonic()
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
        """Look again, as a marker said. Until the rate limit allows it there is nothing to see; a timer looks then."""
        if self.opens_at_s == NEVER_S:
            self.look_again()

    def look_again(self) -> None:
        """Make the next look at this queue happen now. Also where no thread is idle: the cycle passes a marker on."""
        self.is_hungry = True
        self.beat_at_s = 0.0

    def start_over(self) -> None:
        """Forget what was known of Redis: its connection was lost."""
        self.outage = None
        self.look_again()

    def return_overdue(self) -> None:
        """Give back what has been in a thread's hand for too long: its pool has met longer jobs."""
        if time.monotonic() < self._in_hand_until_s:
            return
        if self.give_back():
            self.pool.take_none_ahead()
        elif self._ahead:
            # All have started: Redis must know, as it counts the losses of what started only.
            self.beat_at_s = 0.0

    def apply(self, request: CycleRequest, reply: CycleReply) -> None:
        """Take in what a cycle brought."""
        self._works_again()
        self._clock_ahead_s = reply.now_ms / 1000 - self._asked_at_s
        if reply.late:
            self._warn_of_late(request, reply.late)
        self._unheard.clear()
        self._let_go(request, reply)
        del self._pending[: len(request.settlements)]
        for key in request.started:
            self._ahead.pop(key, None)
            if self._is_announcing and self._alone is not None and key == (self._alone.local_id, self._alone.number):
                self._announced(self._alone, is_late=key in reply.late_runs)
        now_s = time.monotonic()
        for local_id in reply.asked:
            self._ask_to_stop(local_id)
        self.due_at_s = now_s + (reply.next_due_ms - reply.now_ms) / 1000 if reply.next_due_ms else NEVER_S
        self.reap_at_s = self._lease_end_s(now_s, reply)
        self.opens_at_s = now_s + (reply.opens_ms - reply.now_ms) / 1000 if reply.opens_ms > 0 else NEVER_S
        self.is_hungry = (reply.left > 0 and reply.opens_ms == 0) or self.due_at_s <= now_s
        gap_ms = reply.now_ms - self._last_beat_ms if self._last_beat_ms else 0
        # Of the first cycle only its own time is known.
        self.was_silent = max(gap_ms, (now_s - self._asked_at_s) * 1000) > self._silence_ms
        self._last_beat_ms = reply.now_ms
        self.take(reply.claimed, accepting=True)
        # A job that runs may be asked to stop at any time, and shall know within a second.
        self.beat_at_s = now_s + (min(self._beat_s, ASK_S) if self._held else self._beat_s)

    def lost_reply(self, request: CycleRequest) -> None:
        """Note that a cycle brought no reply: it may have been done."""
        self._unheard.update(settlement.local_id for settlement in request.settlements)

    def refused(self, error: RedisError) -> None:
        """Note that Redis refuses this queue's scripts; the other queues go on."""
        now_s = time.monotonic()
        if self.outage is None:
            self.outage = Outage(now_s)
            why = reason_of(error)
            logger.error("Queue %s: Redis refuses to work on it (%s). Trying again until it does.", self.queue, why)
        self.outage.failed(now_s)
        self.is_hungry = True

    @property
    def redis_now_ms(self) -> int:
        """Redis's time in Unix ms, as far as is known here; later rather than earlier."""
        return round((self._clock_ahead_s + time.monotonic()) * 1000)

    def reaped(self, reaped: Reaped) -> None:
        """Take in what became of a dead worker's jobs, if there was one."""
        lease_s = self._broker.config.lease_s
        left_s = (reaped.next_expiry_ms - reaped.now_ms) / 1000 if reaped.next_expiry_ms else lease_s
        self.reap_at_s = time.monotonic() + max(0.0, left_s)
        self._announcer.lost(reaped.ended)
        if reaped.recovered or reaped.given_up:
            self.is_hungry = True
            logger.warning(
                "Queue %s: a worker died; %d of its jobs go back, %d failed as their workers died too often.",
                self.queue,
                reaped.recovered,
                len(reaped.given_up),
            )

    def take(self, claimed: Iterable[Claimed], *, accepting: bool) -> None:
        """Hand claimed jobs to the pool; or back, where it is `accepting` no more."""
        in_hand_until_s = time.monotonic() + IN_HAND_S
        for job in claimed:
            state = job.state
            key = (job.local_id, state.number)
            if key in self._held:
                continue
            delivery = self._held[key] = self._delivery(job) if accepting else None
            if delivery is None:
                if not accepting:
                    self._pending.append(Settlement(*key, 0, GivenBack()))
            elif state.recoveries >= SUSPECT_FROM:
                self._suspects.append(delivery)
            else:
                if not (state.started_ms and self.pool.idle):
                    self._ahead[key] = delivery
                    self._in_hand_until_s = in_hand_until_s
                self.pool.give(delivery)

    def give_back(self) -> bool:
        """Return what no thread has started, in order; whether there was anything."""
        self._in_hand_until_s = NEVER_S
        if self._is_announcing and self._alone is not None:
            self._suspects.appendleft(self._alone)
            self._alone = None
        returned = [*self.pool.take_back(), *self._suspects]
        self._suspects.clear()
        for delivery in returned:
            self._ahead.pop((delivery.local_id, delivery.number), None)
            self._settle(delivery, GivenBack(), 0)
        return bool(returned)

    def give_up(self) -> None:
        """Return what still runs, too: its thread could not be interrupted, and its own end will come too late."""
        settled = {(settlement.local_id, settlement.number) for settlement in self._pending}
        for local_id, number in self._held.keys() - settled:
            logger.warning("Job %s:%s does not stop; it goes back to its queue.", self.queue, local_id)
            self._pending.append(Settlement(local_id, number, 0, GivenBack()))

    def _let_go(self, request: CycleRequest, reply: CycleReply) -> None:
        is_heard = self._announcer.is_heard
        for settlement in request.settlements:
            delivery = self._held.pop((settlement.local_id, settlement.number), None)
            if is_heard and delivery is not None:
                self._announcer.settled(delivery, settlement, reply)

    def _announced(self, suspect: Delivery, *, is_late: bool) -> None:
        """Let it begin; not where this worker was taken for dead while it waited: then others have the job."""
        if is_late:
            self._held.pop((suspect.local_id, suspect.number), None)
            self._alone = None
        else:
            self.pool.give(suspect)

    def _ask_to_stop(self, local_id: str) -> None:
        for (held_id, _), delivery in self._held.items():
            if held_id == local_id and delivery is not None and not delivery.cancelled:
                delivery.ask_to_stop()

    def _works_again(self) -> None:
        if self.outage is not None:
            logger.info("Queue %s: goes on after %.1f s.", self.queue, time.monotonic() - self.outage.since_s)
            self.outage = None

    def _warn_of_late(self, request: CycleRequest, late: Sequence[str]) -> None:
        """Not of what this worker itself settled before, in a cycle whose reply was lost."""
        settled = {settlement.local_id for settlement in request.settlements}
        for local_id in settled.intersection(late) - self._unheard:
            logger.warning(
                "Job %s:%s ended after it had been taken from this worker: its result changed nothing.",
                self.queue,
                local_id,
            )

    def _settle(self, delivery: Delivery, outcome: Outcome, runtime_ms: int) -> None:
        self._pending.append(Settlement(delivery.local_id, delivery.number, runtime_ms, outcome))

    @property
    def _is_announcing(self) -> bool:
        return self._alone is not None and self.pool.is_empty

    def _started(self) -> Sequence[tuple[str, int]]:
        if self._is_announcing and self._alone is not None:
            return [(self._alone.local_id, self._alone.number)]
        return [key for key, delivery in self._ahead.items() if delivery.started] if self._ahead else ()

    def _lease_end_s(self, now_s: float, reply: CycleReply) -> float:
        return now_s + self._broker.config.lease_s + (reply.oldest_beat_ms - reply.now_ms) / 1000

    def _delivery(self, job: Claimed) -> Delivery | None:
        """The job as a delivery; one whose message is damaged is settled as failed at once."""
        try:
            message = unpack(self.queue, job.local_id, job.state.created_ms, job.message)
        except (ValueError, TypeError, RecursionError) as error:
            self._refuse(job, JobError("InvalidPayload", f"its stored message cannot be read: {error}"))
            return None
        return Delivery(self._broker, message, job.state, self._worker, claimed_ms=self._last_beat_ms)

    def _refuse(self, job: Claimed, error: JobError) -> None:
        logger.error("Job %s:%s fails: %s", self.queue, job.local_id, error.message)
        self._pending.append(Settlement(job.local_id, job.state.number, 0, Failed(error)))
