"""Who is taken for dead, and when nobody is."""

from __future__ import annotations

import time

from redis import Redis

from ..broker import QueueBroker
from ..store.own_connection import Client
from .lane import Lane
from .server import look_at_server

#: A call that takes longer than this share of a lease was held up, as may be what the living sent meanwhile.
HELD_UP = 1 / 4


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
        """Spare the living after a restart of Redis, or one that hangs: no beat in it is worth anything then."""
        asked_s = time.monotonic()
        up_s = look_at_server(client)
        if up_s < self._lease_s or time.monotonic() - asked_s > self._lease_s * HELD_UP:
            self.spare_the_living()

    def is_due(self, lane: Lane) -> bool:
        """Whether a worker of this queue may be dead."""
        now_s = time.monotonic()
        return lane.outage is None and lane.reap_at_s <= now_s and self.from_s <= now_s

    def reap(self, client: Client, lane: Lane) -> None:
        """Take back the jobs of one dead worker, if there is one. Redis: one round trip."""
        lease_ms = round(self._lease_s * 1000)
        by_ms = lane.redis_now_ms + round(lease_ms * HELD_UP)
        reaped = self._transitions.reap(
            client, lane.queue, lease_ms=lease_ms, max_recoveries=self._max_recoveries, by_ms=by_ms
        )
        lane.reaped(reaped)
        if reaped.now_ms > by_ms:
            self.spare_the_living()
