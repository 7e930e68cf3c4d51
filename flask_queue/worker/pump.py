"""The pump: one thread that does all claim and settle I/O of a worker process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from ..broker import QueueBroker
from ..store.conditions import is_away
from ..store.connect import explain, reason_of, seek_primary
from ..store.transitions import CycleReply, CycleRequest
from .announcer import Announcer
from .executor import Crashed, Ended
from .heart import Pulse
from .heartbeat import beat_s
from .lane import NEVER_S, Lane
from .outage import Outage
from .reaper import Reaper
from .reporter import Reporter
from .server import knock
from .suspects import Suspects
from .waiter import Waiter, Woken
from .waiters import Waiters

logger = logging.getLogger("flask_queue.worker")

#: A wait can break once for many reasons; so many in succession are worth a line.
BROKEN_WAITS = 3
#: How often a burst looks whether other workers are done.
BURST_LOOK_S = 0.25

Message = Ended | Woken | Crashed | Callable[[], None]


class Pump:
    """Moves jobs between Redis and the pools: settles what ended, claims what idle threads can run.

    `inbox` takes the ends of runs, wake-ups, and functions to call on the pump's thread; everything else belongs to it.

    Args:
        broker: whose store and settings.
        client: for this pump alone.
        worker: this worker's id, under which it claims.
        make_waiter: makes what waits for jobs while all is quiet.
        reporter: tells of this worker.
        announcer: tells of what was settled.
        pulse: shows that the pump moves.
        is_burst: end when nothing is waiting, active or due.
    """

    def __init__(
        self,
        broker: QueueBroker,
        client: Redis,
        worker: str,
        *,
        make_waiter: Callable[[Callable[[Woken | Crashed], None]], Waiter | Waiters],
        reporter: Reporter,
        announcer: Announcer,
        pulse: Pulse,
        is_burst: bool = False,
    ) -> None:
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self.lanes: dict[str, Lane] = {}
        self._suspects = Suspects(self.lanes.values())
        self.is_accepting = True
        self.has_failed = False
        self._broker = broker
        self._transitions = broker.store.transitions
        self._client = client
        self._connection = broker.store.own_connection(client, looks_first=True)
        self._worker = worker
        self._waiter = make_waiter(self.inbox.put)
        self._reporter = reporter
        self._announcer = announcer
        self._pulse = pulse
        self._is_burst = is_burst
        self._beat_s = beat_s(broker.config)
        self._burst_look_s = 0.0
        self._outage: Outage | None = None
        #: Waits in succession that an error ended while Redis was there.
        self._broken_waits = 0
        self._reaper = Reaper(broker)
        self._stop_at_s = NEVER_S

    def run(self) -> None:
        """Pump until stopped, or until a burst is over. Never raises for Redis being away."""
        try:
            self._waiter.start()
            self._guarded(lambda: self._reaper.look_at_server(self._client))
            while not self._is_done():
                self._pulse.move()
                self._receive()
                if self._outage is None:
                    self._guarded(self._work)
                elif time.monotonic() >= self._outage.retry_at_s:
                    self._outage.failed(time.monotonic())
                    knock(self._make_client, lambda: self.inbox.put(self._was_answered))
            self._guarded(self._sign_off)
        except BaseException:
            # A fault of ours. The leases of this worker run out, and others take its jobs back.
            self.has_failed = True
            logger.exception("The pump of worker %s has failed.", self._worker)
        finally:
            self._waiter.stop()
            for lane in self.lanes.values():
                lane.pool.stop()

    @property
    def is_ready(self) -> bool:
        """Whether it claims, from a Redis that it can reach."""
        return self.is_accepting and self._outage is None and self._reporter.has_reported

    def add_lane(self, lane: Lane) -> None:
        """Serve one more queue."""
        self.lanes[lane.queue] = lane

    def stop(self, give_up_at_s: float) -> None:
        """Claim nothing more, give back what has not started, and end when all is settled, or then (monotonic)."""
        self.is_accepting = False
        self._stop_at_s = give_up_at_s
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

    @property
    def _is_claiming(self) -> bool:
        return self.is_accepting and not self._suspects.keep_others_out and not self._announcer.is_behind

    def _is_clear(self) -> bool:
        return all(lane.is_clear for lane in self.lanes.values())

    def _is_done(self) -> bool:
        if self._is_clear():
            return self._stop_at_s < NEVER_S or (self._is_burst and self._burst_is_over())
        if time.monotonic() < self._stop_at_s:
            return False
        self._give_up()
        return True

    def _give_up(self) -> None:
        """Return what still runs. An end that was reported meanwhile is better."""
        self._receive()
        for lane in self.lanes.values():
            lane.give_up()
        self._guarded(self._work)
        while self._outage is None and any(lane.is_sending for lane in self.lanes.values()):
            self._guarded(self._work)

    def _receive(self) -> None:
        """Take in what has happened; where nothing has, wait until it does, or until something is to be done anyway."""
        try:
            message: Message = self.inbox.get(timeout=self._patience_s() if self.inbox.empty() else 0.0)
            while True:
                self._handle(message)
                message = self.inbox.get_nowait()
        except Empty:
            return

    def _patience_s(self) -> float:
        now_s = time.monotonic()
        return max(0.0, min(self._next_look_s(), self._stop_at_s, now_s + 60) - now_s)

    def _next_look_s(self) -> float:
        if self._outage is not None:
            return self._outage.retry_at_s
        look_s = min(self._reporter.due_at_s, self._suspects.look_at_s)
        if self._is_burst and self._is_clear():
            # Its end is looked for once nothing of it is in this worker's hands.
            look_s = self._burst_look_s
        for lane in self.lanes.values():
            look_s = min(look_s, lane.next_look_s(accepting=self._is_claiming, reaping_from_s=self._reaper.from_s))
        return look_s

    def _handle(self, message: Message) -> None:
        match message:
            case Ended():
                self.lanes[message.delivery.queue_name].ended(message)
            case Woken():
                self._waiter.heard(message)
                self._note_wait(message.error)
                if message.queue is not None:
                    self.lanes[message.queue].woken()
            case Crashed():
                raise message.error
            case _:
                message()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except RedisError as error:
            self._went_away(error)

    def _work(self) -> None:
        """Everything that is to be done now, in as few round trips as can be."""
        # First: what is claimed then may hold the interpreter up, and a worker must be known to be beaten for.
        self._reporter.report(self._connection, self.lanes)
        for lane in self.lanes.values():
            lane.return_overdue()
        self._suspects.attend()
        if lanes := self._lanes_to_cycle():
            self._exchange(lanes)
        self._came_back()
        self._reap()
        if self._is_claiming:
            self._waiter.listen([lane.queue for lane in self.lanes.values() if lane.is_listening], self._connection)

    def _lanes_to_cycle(self) -> list[Lane]:
        """Those that have something to say; with them, as it is no round trip more, idle ones whose beat is near."""
        now_s = time.monotonic()
        lanes = self.lanes.values()
        due = [lane for lane in lanes if lane.next_cycle_s(accepting=self._is_claiming) <= now_s]
        if not due or len(due) == len(lanes):
            return due
        near_s = now_s + self._beat_s / 2
        near = [lane for lane in lanes if lane.is_clear and lane.outage is None and lane.beat_at_s <= near_s]
        return list(dict.fromkeys([*due, *near]))

    def _exchange(self, lanes: list[Lane]) -> None:
        """One cycle of each of these lanes."""
        requests = [lane.request(accepting=self._is_claiming) for lane in lanes]
        unheard, away = [], None
        for lane, request, reply in zip(lanes, requests, self._cycle(lanes, requests), strict=True):
            if isinstance(reply, RedisError):
                lane.lost_reply(request)
                if is_away(reply):
                    away = reply
                else:
                    lane.refused(reply)
                continue
            lane.apply(request, reply)
            if lane.was_silent:
                self._reaper.spare_the_living()
            if not lane.knows_of(reply.held):
                unheard.append(lane)
        if away is not None:
            raise away
        for lane in unheard:
            self._for(lane, self._recover_claims)

    def _cycle(self, lanes: list[Lane], requests: list[CycleRequest]) -> list[CycleReply | RedisError]:
        try:
            return self._transitions.cycle(self._connection, self._worker, self._broker.retention, requests)
        except RedisError:
            for lane, request in zip(lanes, requests, strict=True):
                lane.lost_reply(request)
            raise

    def _for(self, lane: Lane, work: Callable[[Lane], None]) -> None:
        """What Redis refuses to do for one queue keeps no other from its work."""
        try:
            work(lane)
        except ResponseError as error:
            if is_away(error):
                raise
            lane.refused(error)

    def _recover_claims(self, lane: Lane) -> None:
        """Take what a claim gave whose reply was lost: nobody else would, while this worker lives."""
        unheard = self._transitions.held(self._connection, lane.queue, self._worker, lane.held_ids)
        lane.take(unheard, accepting=self.is_accepting)

    def _reap(self) -> None:
        """Take back the jobs of workers whose lease is over."""
        for lane in self.lanes.values():
            while self._reaper.is_due(lane):
                self._for(lane, lambda lane: self._reaper.reap(self._connection, lane))

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
            return not any(self._transitions.unfinished(self._connection, lane.queue) for lane in lanes)
        except RedisError as error:
            self._went_away(error)
            return False

    def _sign_off(self) -> None:
        if self._outage is None:
            self._waiter.leave(self._connection)
            self._transitions.leave(self._connection, list(self.lanes), self._worker)
            self._reporter.sign_off(self._connection)

    def _note_wait(self, error: RedisError | None) -> None:
        """A wait that breaks says little: its connection may have been cut alone. A look tells if Redis is away."""
        if self._outage is not None or error is None:
            self._broken_waits = 0
            return
        self._broken_waits += 1
        if self._broken_waits == BROKEN_WAITS:
            logger.warning("Cannot wait for jobs (%s), so they are looked for now and then.", reason_of(error))
        for lane in self.lanes.values():
            lane.look_again()

    def _make_client(self) -> Redis:
        return self._broker.store.make_client(self._broker.config.socket_timeout_s)

    def _was_answered(self) -> None:
        """Redis is there; whether it works is seen by working."""
        if self._outage is not None:
            self._guarded(self._work)

    def _went_away(self, error: RedisError) -> None:
        seek_primary(self._client, error)
        now_s = time.monotonic()
        if self._outage is None:
            self._outage = Outage(now_s)
            logger.error("%s Trying again until it is back.", explain(self._client, error))
        self._outage.failed(now_s)
        for lane in self.lanes.values():
            lane.start_over()

    def _came_back(self) -> None:
        if self._outage is None:
            return
        logger.info("Redis is back after %.1f s.", time.monotonic() - self._outage.since_s)
        self._outage = None
        self._reaper.spare_the_living()
