"""What is done to workers and to Redis, as the seed says, on a thread of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import NamedTuple

from redis.exceptions import RedisError

from tests.chaos.fleet import Fleet, Member
from tests.chaos.journal import FOREVER_NS, Fault, FaultKind, Notes
from tests.chaos.program import LEASE_S
from tests.servers import RedisServer
from tests.supervision.conftest import hearts

#: Seconds between two faults of workers, and of Redis.
WORKERS_EVERY_S = (1.0, 3.0)
REDIS_EVERY_S = (5.5, 11.0)
_WEIGHTS: dict[FaultKind, int] = {"kill": 6, "term": 4, "stop": 6, "orphan": 1, "heart": 1}
WORKER_FAULTS = [kind for kind, weight in _WEIGHTS.items() for _ in range(weight)]
REDIS_FAULTS: list[FaultKind] = ["redis-kill", "redis-kill", "redis-stop", "redis-freeze", "clients"]
#: How often the thread looks at its clock.
LOOK_S = 0.02


class Planned(NamedTuple):
    """A fault, seconds after the start. `choice` picks its victim, `lasts_s` is how long it lasts."""

    at_s: float
    kind: FaultKind
    choice: float
    lasts_s: float


def plan(seed: int, seconds: float) -> list[Planned]:
    """The same faults for the same seed."""
    random = Random(f"faults {seed}")
    planned = [*_series(random, seconds, WORKERS_EVERY_S, WORKER_FAULTS)]
    planned += _series(random, seconds, REDIS_EVERY_S, REDIS_FAULTS)
    return sorted(planned)


def _series(random: Random, seconds: float, every_s: tuple[float, float], kinds: list[FaultKind]) -> Iterator[Planned]:
    """Each kind comes in every round of all kinds."""
    at_s, left = 3.0, list[FaultKind]()
    while at_s < seconds:
        if not left:
            left = random.sample(kinds, len(kinds))
        short, long = random.uniform(0.2, 0.9), random.uniform(LEASE_S + 0.3, LEASE_S * 2.5)
        yield Planned(at_s, left.pop(), random.random(), random.choice((short, long)))
        at_s += random.uniform(*every_s)


class Chaos:
    """Carries the plan out, and notes what it does.

    Args:
        seed: of the plan.
        seconds: how long.
        fleet: whose processes are harmed; it belongs to this thread until `join`.
        server: that is harmed, too.
        notes: where each fault goes.
    """

    def __init__(self, seed: int, seconds: float, fleet: Fleet, server: RedisServer, notes: Notes) -> None:
        self._plan = plan(seed, seconds)
        self._fleet = fleet
        self._server = server
        self._notes = notes
        self._started_s = time.monotonic()
        #: What is to be healed, when.
        self._heal: list[tuple[float, Callable[[], None]]] = []
        self._stopped: set[int] = set()
        self._is_redis_away = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="chaos")
        self._thread.start()

    def join(self) -> None:
        """Wait until the plan is over and all is healed."""
        self._thread.join()
        if self.error is not None:
            raise self.error

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while self._plan or self._heal:
                self._step(time.monotonic() - self._started_s)
                time.sleep(LOOK_S)
        except BaseException as error:
            self.error = error
        finally:
            for _, heal in self._heal:
                with suppress(Exception):
                    heal()

    def _step(self, now_s: float) -> None:
        for due in [entry for entry in self._heal if entry[0] <= now_s]:
            self._heal.remove(due)
            due[1]()
        self._fleet.replace_dead()
        if self._plan and self._plan[0].at_s <= now_s:
            self._carry_out(self._plan.pop(0), now_s)

    def _carry_out(self, fault: Planned, now_s: float) -> None:
        if fault.kind in REDIS_FAULTS:
            if not self._is_redis_away:
                self._harm_redis(fault, now_s)
            return
        workers = {pid: member for pid, member in self._fleet.workers().items() if pid not in self._stopped}
        if fault.kind == "orphan":
            workers = {pid: member for pid, member in workers.items() if member.is_supervisor}
        if workers:
            pid = sorted(workers)[int(fault.choice * len(workers))]
            with suppress(ProcessLookupError):
                self._harm(fault, pid, workers, now_s)

    def _harm(self, fault: Planned, pid: int, workers: dict[int, Member], now_s: float) -> None:
        match fault.kind:
            case "kill":
                self._signal("kill", pid, signal.SIGKILL)
            case "term":
                self._signal("term", pid, signal.SIGTERM)
            case "orphan":
                # The supervisor's children notice, and stop in order.
                for child, member in workers.items():
                    if member is workers[pid]:
                        self._notes.note(Fault("orphan", child, time.time_ns()))
                workers[pid].process.kill()
            case "heart":
                for heart in hearts(pid):
                    os.kill(heart, signal.SIGKILL)
                self._notes.note(Fault("heart", pid, time.time_ns()))
            case _:
                self._stop(pid, fault.lasts_s, now_s)

    def _signal(self, kind: FaultKind, pid: int, number: signal.Signals) -> None:
        # Noted first: what follows from it must not be older.
        self._notes.note(Fault(kind, pid, time.time_ns()))
        os.kill(pid, number)

    def _stop(self, pid: int, lasts_s: float, now_s: float) -> None:
        fault = Fault("stop", pid, time.time_ns())
        os.kill(pid, signal.SIGSTOP)
        self._stopped.add(pid)

        def go_on() -> None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            self._stopped.discard(pid)
            self._notes.note(replace(fault, until_ns=time.time_ns()))

        self._heal.append((now_s + lasts_s, go_on))

    def _harm_redis(self, fault: Planned, now_s: float) -> None:
        started = Fault(fault.kind, 0, time.time_ns(), FOREVER_NS)
        match fault.kind:
            case "redis-kill":
                self._server.kill()
                heal = self._start_redis
            case "redis-stop":
                self._server.stop()
                heal = self._start_redis
            case "redis-freeze":
                self._server.freeze()
                heal = self._server.thaw
            case _:
                with self._server.client() as client, suppress(RedisError):
                    client.client_kill_filter(_type="normal")
                self._notes.note(replace(started, until_ns=time.time_ns()))
                return
        self._is_redis_away = True

        def come_back() -> None:
            heal()
            self._is_redis_away = False
            self._notes.note(replace(started, until_ns=time.time_ns()))

        self._heal.append((now_s + fault.lasts_s, come_back))

    def _start_redis(self) -> None:
        self._server.start()
