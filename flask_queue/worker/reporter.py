"""What a worker tells of itself with its beats, and what it is asked to do in return."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from redis.exceptions import ResponseError

from ..broker import QueueBroker
from ..store.conditions import is_away
from ..store.connect import reason_of
from ..store.own_connection import Client
from ..store.roster import Request, Shown
from ..versions import installed
from .heartbeat import Heartbeat, beat_s
from .lane import Lane
from .memory import rss_bytes
from .running import Run, Running

logger = logging.getLogger("flask_queue.worker")

#: Seconds between two reports while something runs.
BUSY_S = 1.0
#: Dramatiq's options may say "for ever".
LONGEST_S = 1e9


class Reporter:
    """Belongs to the pump's thread.

    Args:
        broker: whose Redis and settings.
        worker: its id.
        running: what it runs.
        heartbeat: what keeps its leases should its interpreter be held up, if anything does.
        heed: called with what an operator asks; again with every report while that stands.
    """

    def __init__(
        self,
        broker: QueueBroker,
        worker: str,
        running: Running,
        *,
        heartbeat: Heartbeat | None,
        heed: Callable[[Request], None],
    ) -> None:
        #: Redis has heard of this worker.
        self.has_reported = False
        self._told_at_s = float("-inf")
        #: As it told last: whether anything ran, and how many runs had started.
        self._was_busy, self._told_count = False, 0
        self._roster = broker.store.roster
        self._lease_ms = broker.config.lease_ms
        self._worker = worker
        self._running = running
        self._beat_s = beat_s(broker.config)
        self._heartbeat = heartbeat
        self._heed = heed
        self._is_refused = False
        self._host, self._pid, self._version = socket.gethostname(), os.getpid(), installed("flask-queue")
        self._started_s = time.monotonic()

    @property
    def due_at_s(self) -> float:
        """When the next report is due: with the beats, or a second after the last one while jobs come and go."""
        is_busy = self._was_busy or self._told_count != self._running.count
        return self._told_at_s + (min(BUSY_S, self._beat_s) if is_busy else self._beat_s)

    def report(self, client: Client, lanes: Mapping[str, Lane]) -> None:
        """Tell, if it is time; what Redis refuses keeps nobody from working. Redis: one round trip."""
        now_s = time.monotonic()
        if now_s < self.due_at_s:
            return
        if self._heartbeat is not None:
            self._heartbeat.keep(self._worker, list(lanes))
        self._told_count = self._running.count
        shown = self._shown(lanes)
        self._was_busy = bool(shown.running)
        try:
            asked = self._roster.report(client, self._worker, shown, lease_ms=self._lease_ms)
            self._is_refused = False
        except ResponseError as error:
            if is_away(error):
                raise
            asked = None
            self._refused(error)
        self._told_at_s = now_s
        self.has_reported = True
        if asked is not None:
            self._heed(asked)

    def sign_off(self, client: Client) -> None:
        """Tell that this worker ends. Redis: one round trip."""
        with suppress(ResponseError):
            self._roster.sign_off(client, self._worker)

    def _refused(self, error: ResponseError) -> None:
        if not self._is_refused:
            logger.error("Worker %s works, but cannot be listed: %s.", self._worker, reason_of(error))
        self._is_refused = True

    def _shown(self, lanes: Mapping[str, Lane]) -> Shown:
        now_s = time.monotonic()
        return Shown(
            host=self._host,
            pid=self._pid,
            version=self._version,
            queues={lane.queue: lane.pool.threads for lane in lanes.values()},
            age_ms=round((now_s - self._started_s) * 1000),
            rss_bytes=rss_bytes(),
            running=[_shown_run(run, now_s) for run in self._running.look()],
        )


def _shown_run(run: Run, now_s: float) -> tuple[str, str, str, int, int]:
    job, age_s, timeout_s = run.delivery, now_s - run.started_s, min(run.timeout_s, LONGEST_S)
    return job.queue_name, job.local_id, job.actor_name, round(age_s * 1000), round(timeout_s * 1000)
