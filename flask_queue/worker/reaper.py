"""Who is taken for dead, and when nobody is."""

from __future__ import annotations

import time

from redis import Redis

from ..broker import QueueBroker
from .lane import Lane
from .server import look_at_server


class Reaper:
    """Takes back the jobs of workers whose lease is over. Belongs to the pump's thread."""

    def __init__(self, broker: QueueBroker) -> None:
        self._transitions = broker.store.transitions
        self._lease_s = broker.config.lease_s
        self._max_recoveries = broker.config.max_recoveries
        #: No worker is taken for dead before.
        self.from_s = 0.0

    def spare_the_living(self) -> None:
        """Take nobody for dead until a lease has passed from now: the living beat first."""
        self.from_s = time.monotonic() + self._lease_s

    def look_at_server(self, client: Redis) -> None:
        """Spare the living after a restart of Redis: no beat in it is worth anything then."""
        if look_at_server(client) < self._lease_s:
            self.spare_the_living()

    def is_due(self, lane: Lane) -> bool:
        """Whether a worker of this queue may be dead."""
        now_s = time.monotonic()
        return lane.outage is None and lane.reap_at_s <= now_s and self.from_s <= now_s

    def reap(self, client: Redis, lane: Lane) -> None:
        """Take back the jobs of one dead worker, if there is one. Redis: one round trip."""
        lease_ms = round(self._lease_s * 1000)
        # Where Redis hung for longer than this, what the living sent meanwhile may still wait behind this call.
        by_ms = lane.redis_now_ms + lease_ms // 4
        reaped = self._transitions.reap(
            client, lane.queue, lease_ms=lease_ms, max_recoveries=self._max_recoveries, by_ms=by_ms
        )
        lane.reaped(reaped)
        if reaped.now_ms > by_ms:
            self.spare_the_living()
