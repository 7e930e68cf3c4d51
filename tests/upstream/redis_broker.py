"""The names of RedisBroker's keys and settings, at which its tests look, for the same things in our store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dramatiq.brokers.redis import MAINTENANCE_SCALE
from dramatiq.common import dq_name, q_name, xq_name

from flask_queue.store.transitions import CycleRequest
from tests.upstream.broker import TestedBroker

if TYPE_CHECKING:
    from dramatiq import Message

#: As in trim.lua.
TRIMMED_A_CYCLE = 512


class TestedRedisBroker(TestedBroker):
    """Our broker under the names of Dramatiq's RedisBroker."""

    def __init__(self, url: str) -> None:
        super().__init__(url, fail_fast=False)
        self.client = _Client(self)

    #: Of `MAINTENANCE_SCALE`: the share of commands at which RedisBroker looks after its queue.
    maintenance_chance = 0

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Store a message; the option of the returned one is where RedisBroker says under which id."""
        stored = super().enqueue(message, delay=delay)
        return stored.copy(options={"redis_message_id": stored.message_id})

    @property
    def dead_message_ttl(self) -> int:
        """How long failed jobs are kept, in milliseconds."""
        return self.retention.failed_ms

    @dead_message_ttl.setter
    def dead_message_ttl(self, ttl_ms: int) -> None:
        self.retention = replace(self.retention, failed_ms=ttl_ms)

    def do_qsize(self, queue_name: str) -> int:
        """How many jobs have not ended. For ours, maintenance is a part of every cycle of a worker, in small steps."""
        queue = q_name(queue_name)
        counts = self.counts(queue)
        if self.maintenance_chance == MAINTENANCE_SCALE:
            for _ in range(counts["failed"] // TRIMMED_A_CYCLE + 1):
                self.cycle(CycleRequest(queue))
        return counts["waiting"] + counts["delayed"] + counts["active"]


class _Client:
    """A Redis client that finds under RedisBroker's keys the ids that are in our places for them."""

    def __init__(self, broker: TestedBroker) -> None:
        self._broker = broker

    def lrange(self, key: str, first: int, last: int) -> list[bytes]:
        """Ids of waiting or, under the name of a delay queue, delayed jobs."""
        name = key.removeprefix("dramatiq:")
        keys = self._broker.store.transitions.keys(q_name(name))
        client: Any = self._broker.store.client
        ids: list[bytes]
        if name == dq_name(name):
            ids = client.zrange(keys["delayed"], first, last)
        else:
            ids = client.lrange(keys["waiting"], first, last)
        return ids

    def zrangebyscore(self, key: str, low: int, high: str) -> list[bytes]:
        """Ids of failed jobs."""
        name = key.removeprefix("dramatiq:")
        assert name == xq_name(name), "only dead letters have scores"
        client: Any = self._broker.store.client
        ids: list[bytes] = client.zrangebyscore(self._broker.store.transitions.keys(q_name(name))["failed"], low, high)
        return ids
