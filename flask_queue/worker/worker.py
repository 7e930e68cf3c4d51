"""A worker: its threads, from start to stop."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from blinker import NamedSignal
from dramatiq import Broker, Middleware

from ..broker import QueueBroker
from ..record import WorkerInfo
from ..signals import worker_started, worker_stopped
from ..store.roster import Request
from ..versions import installed
from .announcer import Announcer
from .executor import Crashed, Executor, Interrupted
from .heart import Pulse
from .heartbeat import Heartbeat, beat_s
from .interrupts import Guards
from .lane import Lane
from .memory import rss_bytes
from .pool import Pool
from .pump import Pump
from .reporter import Reporter
from .running import Running
from .waiter import BLOCK_S, Waiter, Woken
from .waiters import Waiters

logger = logging.getLogger("flask_queue.worker")

#: Before the shutdown time is over, running jobs are interrupted this much earlier, so that they can be given back.
INTERRUPT_BEFORE_S = 3.0
#: And again after this, as a run may have been about to begin.
INTERRUPT_AGAIN_S = 0.2
#: What is left for the last round trip, and for the process to end.
RESERVE_S = 1.0


class Worker:
    """Runs the jobs of some queues in this process: one pool of threads for each, one pump for all their I/O.

    One at a time in a process, as with Dramatiq's own: some middleware keeps state of the process.

    Args:
        broker: of the app whose jobs it runs.
        queues: name → threads; every other queue of the broker is left alone. None serves all, as configured, and those
            that are declared later.
        is_burst: end when nothing is waiting, active or due.
        max_jobs: start no more than so many runs, then be quiet.
        heartbeat: keeps the leases while a job holds the interpreter up; a process of its own has one.
        on_request: called when an operator asks this worker to stop or to be replaced, again and again.
    """

    def __init__(
        self,
        broker: QueueBroker,
        queues: Mapping[str, int] | None = None,
        *,
        is_burst: bool = False,
        max_jobs: int | None = None,
        heartbeat: Heartbeat | None = None,
        on_request: Callable[[Request], None] = lambda request: None,
    ) -> None:
        self.broker = broker
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._queues = queues
        self._heartbeat = heartbeat
        self._on_request = on_request
        self._pulse = heartbeat.pulse if heartbeat else Pulse()
        self._guards = Guards(self._pulse.tick)
        executor = Executor(broker, self._guards)
        #: What runs, and how many have started.
        self.running = Running(executor.run, executor.timeout_s, self._pulse, max_jobs, self._reach_limit)
        self._client = broker.store.make_client(broker.config.socket_timeout_s)
        self._announcer = Announcer(broker, self._catch_up)
        self._pump = Pump(
            broker,
            self._client,
            self.id,
            make_waiter=self._make_waiter,
            announcer=self._announcer,
            reporter=Reporter(broker, self.id, self.running, heartbeat=heartbeat, heed=self._heed),
            pulse=self._pulse,
            is_burst=is_burst,
        )
        self._thread = threading.Thread(target=self._pump.run, name="fq-pump", daemon=True)
        self._watcher = _QueueWatcher(self)
        self._is_stopped = False
        self._started_at = datetime.now(UTC)

    def start(self) -> None:
        """Start claiming and running jobs."""
        self.broker.emit_before("worker_boot", self)
        self._guards.start()
        self.broker.add_middleware(self._watcher)
        self.broker.emit_after("worker_boot", self)
        self._tell(worker_started)
        self._pulse.tick()
        self._pulse.move()
        if self._heartbeat is not None:
            # Before the first claim: that job may be the one that holds the interpreter up.
            self._heartbeat.keep(self.id, list(self._pump.lanes))
        self._thread.start()
        threads = ", ".join(f"{lane.queue}: {lane.pool.threads}" for lane in self._pump.lanes.values())
        logger.info("Worker %s runs (%s).", self.id, threads or "no queue yet")

    def stop(self, timeout_s: float | None = None) -> bool:
        """Finish what runs, give the rest back, and end.

        Args:
            timeout_s: for all of it, QUEUE_SHUTDOWN_TIMEOUT_S by default. 3 s before its end, or halfway where that is
                sooner, running jobs are interrupted and go back to their queues.

        Returns: whether every thread has ended.
        """
        limit_s = self.broker.config.shutdown_timeout_s if timeout_s is None else timeout_s
        until_s = time.monotonic() + limit_s
        if not self._is_stopped:
            self._is_stopped = True
            self._stop(until_s, limit_s)
        return self._have_ended(until_s)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for a burst to end; whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def has_failed(self) -> bool:
        """Whether it ended by a fault of its own, which is in the log."""
        return self._pump.has_failed

    def pause(self) -> None:
        """Stop claiming; what runs goes on. Takes effect before this returns."""
        self._on_pump(self._pump.pause)

    def quiet(self) -> None:
        """Stop claiming as soon as the pump comes round to it."""
        self._pump.inbox.put(self._pump.pause)

    def resume(self) -> None:
        """Claim again."""
        self._on_pump(self._pump.resume)

    def serve(self, queue: str) -> None:
        """Start a pool for a queue, unless it is none of this worker's or has one."""
        if self._is_stopped or queue in self._pump.lanes or (self._queues is not None and queue not in self._queues):
            return
        declared = self.broker.queues[queue]
        threads = declared.concurrency if self._queues is None else self._queues[queue]
        # A job that waits in front of a thread would use a slot up that another worker has a thread for.
        takes_ahead = declared.rate_limit is None and declared.max_running is None
        pool = Pool(queue, threads, run=self.running.run, report=self._pump.inbox.put, takes_ahead=takes_ahead)
        pool.start()
        lane = Lane(self.broker, pool, self.id, self._announcer, beat_s=beat_s(self.broker.config))
        if self._thread.is_alive():
            self._pump.inbox.put(lambda: self._pump.add_lane(lane))
        else:
            self._pump.add_lane(lane)

    @property
    def is_alive(self) -> bool:
        """Whether the pump goes round."""
        return self._thread.is_alive()

    @property
    def is_ready(self) -> bool:
        """Whether it claims, from a Redis that it can reach."""
        return self.is_alive and self._pump.is_ready

    def _make_waiter(self, report: Callable[[Woken | Crashed], None]) -> Waiter | Waiters:
        store = self.broker.store

        def make() -> Waiter:
            client = store.make_client(self.broker.config.socket_timeout_s + BLOCK_S)
            return Waiter(client, store.transitions, self.id, report)

        return Waiters(make) if store.is_cluster else make()

    def _heed(self, request: Request) -> None:
        """Do what an operator asks. On the pump's thread."""
        if request != "quiet":
            self._on_request(request)
        elif self._pump.is_accepting:
            logger.info("Worker %s was told to be quiet: it claims nothing more.", self.id)
            self._pump.pause()

    def _catch_up(self) -> None:
        # What is heard of next is that there is something to claim.
        self._pump.inbox.put(lambda: None)

    def _reach_limit(self) -> None:
        def act() -> None:
            self._pump.pause()
            self.running.close()

        self._pump.inbox.put(act)

    def _stop(self, until_s: float, limit_s: float) -> None:
        self.broker.emit_before("worker_shutdown", self)
        give_up_at_s = until_s - min(RESERVE_S, limit_s / 4)
        self._pump.inbox.put(lambda: self._pump.stop(give_up_at_s))
        self._join_pump(until_s - min(INTERRUPT_BEFORE_S, limit_s / 2))
        while self._thread.is_alive() and time.monotonic() < until_s:
            self._guards.interrupt_all(Interrupted)
            self._join_pump(min(until_s, time.monotonic() + INTERRUPT_AGAIN_S))
        if self._have_ended(until_s):
            self._client.close()
        self._announcer.close(until_s)
        self._guards.stop()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._tell(worker_stopped)
        self.broker.emit_after("worker_shutdown", self)
        self.broker.middleware.remove(self._watcher)
        logger.info("Worker %s has stopped.", self.id)

    def _tell(self, signal: NamedSignal) -> None:
        if not signal.receivers:
            return
        info = WorkerInfo(
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=installed("flask-queue"),
            queues={lane.queue: lane.pool.threads for lane in self._pump.lanes.values()},
            busy=0,
            running=(),
            rss_bytes=rss_bytes(),
            started_at=self._started_at,
            last_beat_at=datetime.now(UTC),
        )
        self.broker.tell(signal, worker=info)

    def _join_pump(self, until_s: float) -> None:
        self._thread.join(max(0.0, until_s - time.monotonic()))

    def _have_ended(self, until_s: float) -> bool:
        lanes = list(self._pump.lanes.values())
        return not self._thread.is_alive() and all(lane.pool.join(until_s) for lane in lanes)

    def _on_pump(self, action: Callable[[], None]) -> None:
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._pump.inbox.put(act)
        while self._thread.is_alive() and not done.wait(0.1):
            pass


class _QueueWatcher(Middleware):
    """Serves the queues that exist when it is added, and those that are declared later."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def after_declare_queue(self, broker: Broker, queue_name: str) -> None:
        self._worker.serve(queue_name)
