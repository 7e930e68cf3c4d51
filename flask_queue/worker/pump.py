"""The pump: one thread that does all claim and settle I/O of a worker process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from redis import Redis
from redis.exceptions import RedisError

from ..broker import QueueBroker
from ..store.connect import explain
from ..store.transitions import CycleRequest
from .executor import Ended
from .lane import NEVER_S, Lane
from .waiter import Waiter, Woken

logger = logging.getLogger("flask_queue.worker")

#: First and longest wait while Redis is away.
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.1, 1.0
#: How often a burst looks whether other workers are done.
BURST_LOOK_S = 0.25

Message = Ended | Woken | Callable[[], None]


@dataclass(slots=True)
class Outage:
    """Redis is away since then; tried again at `retry_at_s`, later each time."""

    since_s: float
    backoff_s: float = MIN_BACKOFF_S
    retry_at_s: float = 0.0


class Pump:
    """Moves jobs between Redis and the pools: settles what ended, claims what idle threads can run.

    `inbox` takes the ends of runs, wake-ups, and functions to call on the pump's thread; everything else belongs to it.

    Args:
        broker: whose store and settings.
        client: for this pump alone.
        worker: this worker's id, under which it claims.
        waiter: waits for jobs while all is quiet.
        is_burst: end when nothing is waiting, active or due.
    """

    def __init__(
        self,
        broker: QueueBroker,
        client: Redis,
        worker: str,
        *,
        make_waiter: Callable[[Callable[[Woken], None]], Waiter],
        is_burst: bool = False,
    ) -> None:
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self.lanes: dict[str, Lane] = {}
        self.is_accepting = True
        self.has_failed = False
        self._broker = broker
        self._transitions = broker.store.transitions
        self._client = client
        self._worker = worker
        self._waiter = make_waiter(self.inbox.put)
        self._is_burst = is_burst
        self._burst_look_s = 0.0
        self._outage: Outage | None = None
        self._no_reaping_until_s = 0.0
        self._stop_at_s = NEVER_S

    def run(self) -> None:
        """Pump until stopped, or until a burst is over. Never raises for Redis being away."""
        try:
            self._waiter.start()
            self._spare_the_living()
            while not self._is_done():
                self._receive()
                if self._outage is None or time.monotonic() >= self._outage.retry_at_s:
                    self._guarded(self._work)
            self._guarded(self._sign_off)
        except Exception:
            # A fault of ours. The leases of this worker run out, and others take its jobs back.
            self.has_failed = True
            logger.exception("The pump of worker %s has failed.", self._worker)
        finally:
            self._waiter.stop()
            for lane in self.lanes.values():
                lane.pool.stop()

    def add_lane(self, lane: Lane) -> None:
        """Serve one more queue."""
        self.lanes[lane.queue] = lane

    def stop(self, grace_s: float) -> None:
        """Claim nothing more, give back what has not started, and end when all is settled, or after `grace_s`."""
        self.is_accepting = False
        self._stop_at_s = time.monotonic() + grace_s
        for lane in self.lanes.values():
            lane.give_back()

    def pause(self) -> None:
        """Claim nothing until `resume`."""
        self.is_accepting = False
        for lane in self.lanes.values():
            lane.give_back()

    def resume(self) -> None:
        """Claim again."""
        self.is_accepting = True
        for lane in self.lanes.values():
            lane.is_hungry = True

    def _is_done(self) -> bool:
        if all(lane.is_clear for lane in self.lanes.values()):
            return self._stop_at_s < NEVER_S or (self._is_burst and self._burst_is_over())
        if time.monotonic() < self._stop_at_s:
            return False
        for lane in self.lanes.values():
            lane.give_up()
        self._guarded(self._work)
        return True

    def _receive(self) -> None:
        """Take in what has happened; waits for it until something is to be done anyway."""
        try:
            message: Message = self.inbox.get(timeout=self._patience_s())
            while True:
                self._handle(message)
                message = self.inbox.get_nowait()
        except Empty:
            return

    def _patience_s(self) -> float:
        now_s = time.monotonic()
        if self._outage is not None:
            look_s = self._outage.retry_at_s
        elif self._news():
            return 0.0
        else:
            look_s = min((lane.next_look_s() for lane in self.lanes.values()), default=NEVER_S)
        if self._is_burst:
            look_s = min(look_s, self._burst_look_s)
        return max(0.0, min(look_s, self._stop_at_s, now_s + 60) - now_s)

    def _handle(self, message: Message) -> None:
        match message:
            case Ended():
                self.lanes[message.delivery.queue_name].ended(message)
            case Woken():
                self._waiter.heard()
                if message.error is not None:
                    self._went_away(message.error)
                if message.queue is not None:
                    self.lanes[message.queue].woken()
            case _:
                message()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except RedisError as error:
            self._went_away(error)

    def _work(self) -> None:
        """Everything that is to be done now, in as few round trips as can be."""
        for lane in self.lanes.values():
            lane.return_overdue()
        news = self._news()
        if news:
            self._exchange([(lane, lane.request(accepting=self.is_accepting)) for lane in news])
            self._came_back()
        self._reap()
        if self.is_accepting:
            self._waiter.listen([lane.queue for lane in self.lanes.values() if lane.is_listening], self._client)

    def _news(self) -> list[Lane]:
        return [lane for lane in self.lanes.values() if lane.has_news(accepting=self.is_accepting)]

    def _exchange(self, requests: list[tuple[Lane, CycleRequest]]) -> None:
        cycles = [request for _, request in requests]
        replies = self._transitions.cycle(self._client, self._worker, self._broker.retention, cycles)
        failure: RedisError | None = None
        for (lane, request), reply in zip(requests, replies, strict=True):
            if isinstance(reply, RedisError):
                failure = reply
                continue
            lane.apply(request, reply)
            self._log_late(lane, reply.late)
            if reply.held > len(lane.held_ids):
                self._recover_claims(lane)
        if failure is not None:
            raise failure

    def _recover_claims(self, lane: Lane) -> None:
        """Take what a claim gave whose reply was lost: nobody else would, while this worker lives."""
        unheard = self._transitions.held(self._client, lane.queue, self._worker, lane.held_ids)
        lane.take(unheard, idle=lane.pool.idle)

    def _log_late(self, lane: Lane, late: Sequence[str]) -> None:
        for local_id in late:
            logger.warning(
                "Job %s:%s ended after it had been taken from this worker: its result changed nothing.",
                lane.queue,
                local_id,
            )

    def _reap(self) -> None:
        """Take back the jobs of workers whose lease is over."""
        now_s = time.monotonic()
        for lane in self.lanes.values():
            while lane.reap_at_s <= now_s and now_s >= self._no_reaping_until_s:
                self._reap_one(lane, now_s)

    def _reap_one(self, lane: Lane, now_s: float) -> None:
        config = self._broker.config
        reaped = self._transitions.reap(
            self._client, lane.queue, lease_ms=round(config.lease_s * 1000), max_recoveries=config.max_recoveries
        )
        left_ms = reaped.next_expiry_ms - reaped.now_ms if reaped.next_expiry_ms else config.lease_s * 1000
        lane.reap_at_s = now_s + max(0.0, left_ms / 1000)
        if reaped.recovered or reaped.given_up:
            lane.is_hungry = True
            logger.warning(
                "Queue %s: a worker died; %d of its jobs go back, %d failed as their workers died too often.",
                lane.queue,
                reaped.recovered,
                len(reaped.given_up),
            )

    def _burst_is_over(self) -> bool:
        """Whether nothing is ready, due, or active with any worker."""
        now_s = time.monotonic()
        if now_s < self._burst_look_s or self._outage is not None:
            return False
        self._burst_look_s = now_s + BURST_LOOK_S
        lanes = self.lanes.values()
        if any(lane.is_hungry or lane.due_at_s <= now_s for lane in lanes):
            return False
        try:
            return not any(self._transitions.unfinished(self._client, lane.queue) for lane in lanes)
        except RedisError as error:
            self._went_away(error)
            return False

    def _sign_off(self) -> None:
        if self._outage is None:
            self._waiter.leave(self._client)
            self._transitions.leave(self._client, list(self.lanes), self._worker)

    def _spare_the_living(self) -> None:
        """After a restart of Redis no beat in it is worth anything for a lease: the living beat first."""
        try:
            uptime_s = self._client.info("server")["uptime_in_seconds"]
        except RedisError as error:
            self._went_away(error)
            return
        if uptime_s < self._broker.config.lease_s:
            self._no_reaping_until_s = time.monotonic() + self._broker.config.lease_s

    def _went_away(self, error: RedisError) -> None:
        now_s = time.monotonic()
        if self._outage is None:
            self._outage = Outage(since_s=now_s)
            logger.error("%s Trying again until it is back.", explain(self._client, error))
        else:
            self._outage.backoff_s = min(MAX_BACKOFF_S, self._outage.backoff_s * 2)
        self._outage.retry_at_s = now_s + self._outage.backoff_s
        for lane in self.lanes.values():
            lane.look_again()

    def _came_back(self) -> None:
        if self._outage is None:
            return
        now_s = time.monotonic()
        logger.info("Redis is back after %.1f s.", now_s - self._outage.since_s)
        self._outage = None
        # The others may not have beaten yet: nobody is dead until a lease has passed with Redis here.
        self._no_reaping_until_s = now_s + self._broker.config.lease_s
