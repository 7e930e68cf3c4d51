"""What dispatches, runs and idle workers cost: by Redis's own counters where it has some, since machines are busy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from benchmarks.growth.ground import RUNS, Ground
from benchmarks.growth.plan import Plan
from benchmarks.peers.server import Server
from flask_queue.worker import Worker

#: Name → value; the unit is part of the name.
Figures: TypeAlias = dict[str, float]

#: What a busy worker takes at once.
BATCH = 64
#: For anything that should happen.
PATIENCE_S = 120.0
POLL_S = 0.005
#: The first runs of a drain, while its threads start, are not timed.
WARM = 0.1


@dataclass
class Cost:
    """What a block cost the server; the meter's own commands are in it, which cost some microseconds."""

    seconds: float = 0.0
    #: Scripts: how many, and their time, commands inside them included.
    scripts: int = 0
    script_us: float = 0.0
    #: Times that it read from a connection.
    reads: int = 0
    #: Those inside of scripts too.
    commands: int = 0

    @classmethod
    def so_far(cls, server: Server) -> Cost:
        """All since the server started."""
        info: Any = server.info()
        calls = info.get("cmdstat_evalsha", {"calls": 0, "usec": 0})
        commands, reads = info["total_commands_processed"], info["total_reads_processed"]
        return cls(time.perf_counter(), calls["calls"], calls["usec"], reads, commands)


@contextmanager
def metered(server: Server) -> Iterator[Cost]:
    """The cost of the block, once it is over."""
    cost = Cost()
    before = Cost.so_far(server)
    started_s = time.perf_counter()
    yield cost
    cost.seconds = time.perf_counter() - started_s
    after = Cost.so_far(server)
    cost.scripts = after.scripts - before.scripts
    cost.script_us = after.script_us - before.script_us
    # One look is among them.
    cost.reads, cost.commands = after.reads - before.reads - 1, after.commands - before.commands - 1


def measure_transitions(ground: Ground, plan: Plan, delay_s: float = 0.0) -> Figures:
    """Dispatches, and runs by hand, in rounds that leave as many jobs as there were: the median of rounds.

    With `delay_s`, a moment, jobs are delayed and promoted, so that the cost of that is in it.
    """
    rounds = [_round(ground, plan, delay_s) for _ in range(plan.rounds)]
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def _round(ground: Ground, plan: Plan, delay_s: float) -> Figures:
    with metered(ground.server) as one:
        for number in range(plan.one_at_a_time):
            ground.dispatch_one(number, delay_s)
    with metered(ground.server) as many:
        ground.dispatch_many(plan.at_once, delay_s)
    time.sleep(2 * delay_s)
    with metered(ground.server) as run:
        ground.work_by_hand(plan.worked, BATCH)
    return {
        "dispatch_per_s": plan.one_at_a_time / one.seconds,
        "dispatch_us": one.script_us / plan.one_at_a_time,
        "many_per_s": plan.at_once / many.seconds,
        "many_us": many.script_us / plan.at_once,
        "run_us": run.script_us / plan.worked,
        "run_commands": run.commands / plan.worked,
        "run_scripts": run.scripts / plan.worked,
    }


def measure_drains(ground: Ground, plan: Plan) -> Figures:
    """A worker that runs so many jobs, on top of those that were there; the median of some drains."""
    drains = [_drain(ground, plan.drained) for _ in range(plan.drains)]
    return {name: statistics.median(each[name] for each in drains) for name in drains[0]}


def _drain(ground: Ground, count: int) -> Figures:
    ground.dispatch_many(count)
    RUNS.clear()
    worker = Worker(ground.queue.broker, max_jobs=count)
    with metered(ground.server) as cost:
        worker.start()
        _await(lambda: len(RUNS) >= count, f"{count} jobs ran")
        assert worker.stop()
    first = int(count * WARM)
    return {
        "drain_per_s": (count - 1 - first) / (RUNS[count - 1] - RUNS[first]),
        "drain_us": cost.script_us / count,
        "drain_scripts": cost.scripts / count,
    }


def measure_idling(ground: Ground, plan: Plan) -> Figures:
    """A worker with nothing to do, once it has come to rest."""
    RUNS.clear()
    worker = Worker(ground.queue.broker)
    worker.start()
    ground.dispatch_one(0)
    _await(lambda: bool(RUNS), "a job ran")
    time.sleep(min(1.0, plan.idle_s))
    with metered(ground.server) as cost:
        time.sleep(plan.idle_s)
    assert worker.stop()
    return {
        "idle_trips_per_s": cost.reads / cost.seconds,
        "idle_commands_per_s": cost.commands / cost.seconds,
        "idle_us_per_s": cost.script_us / cost.seconds,
    }


def drain_all(ground: Ground) -> None:
    """Run all that waits."""
    worker = Worker(ground.queue.broker, is_burst=True)
    worker.start()
    assert worker.join(PATIENCE_S), "the burst does not end"
    assert worker.stop()


def _await(predicate: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not predicate():
        if time.monotonic() > until_s:
            raise TimeoutError(f"not within {PATIENCE_S:g} s: {what}")
        time.sleep(POLL_S)
