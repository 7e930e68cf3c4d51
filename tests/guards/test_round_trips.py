"""How often Redis is called, and for how much: counted by the server, the same however busy the machine is.

A bound is what it takes today, or a little more where batches depend on time. Lower it when it falls.
"""

from __future__ import annotations

import time
from functools import partial

from flask_queue.outcome import Completed, Failed
from flask_queue.store.transitions import Settlement
from flask_queue.worker import Worker
from tests.guards.conftest import Meter, Nothing
from tests.servers import RedisServer
from tests.store.driver import ERROR, Driver
from tests.support import wait_until

#: Jobs of a test.
COUNT = 2048
#: Jobs that are stored by one script.
BATCH = 256


def test_the_meter_costs_nothing(meter: Meter) -> None:
    """What it does itself is taken off."""
    with meter.metered() as cost:
        pass
    assert (cost.reads, cost.commands, cost.scripts) == (0, 0, 0)


def test_a_dispatch_is_one_round_trip(meter: Meter) -> None:
    """One script, that does the rest."""
    with meter.metered() as cost:
        for number in range(50):
            Nothing.dispatch(number=number)
    assert (cost.reads, cost.scripts) == (50, 50)
    assert cost.commands <= 50 * 9


def test_many_dispatches_are_a_script_for_each_256(meter: Meter) -> None:
    """In which a job takes four commands, and one more if it is delayed."""
    payloads = [{"number": number} for number in range(COUNT)]
    with meter.metered() as cost:
        Nothing.dispatch_many(payloads)
    assert cost.scripts == COUNT / BATCH
    assert cost.commands <= COUNT * 4.1
    with meter.metered() as cost:
        Nothing.options(delay_s=3600).dispatch_many(payloads)
    assert cost.scripts == COUNT / BATCH
    assert cost.commands <= COUNT * 5.1


def test_64_runs_are_settled_and_claimed_by_one_script(meter: Meter) -> None:
    """In which what is done for all is done once: less than a command a job."""
    with meter.server.client() as client:
        driver = Driver(client)
        driver.add(*(f"job{number}" for number in range(BATCH)))
        claimed = driver.claim(64)
        settle = [Settlement(local_id, 1, 5, Completed()) for local_id in claimed]
        with meter.metered() as cost:
            reply = driver.cycle(want=64, settle=settle)
    assert len(reply.claimed) == 64
    assert not reply.late
    assert cost.scripts == 1
    assert cost.commands <= 38


def test_64_failures_are_settled_by_one_script(meter: Meter) -> None:
    """A failure has its error, group, history and index: some twelve commands, and no round trip of its own."""
    with meter.server.client() as client:
        driver = Driver(client)
        driver.add(*(f"job{number}" for number in range(BATCH)))
        claimed = driver.claim(64)
        settle = [Settlement(local_id, 1, 5, Failed(ERROR)) for local_id in claimed]
        with meter.metered() as cost:
            reply = driver.cycle(want=0, settle=settle)
    assert not reply.late
    assert cost.scripts == 1
    assert cost.commands <= 64 * 12.5


def test_a_drain_takes_jobs_in_batches(meter: Meter) -> None:
    """Some sixty a script where nothing else is going on; how many depends on how fast the machine runs them."""
    Nothing.dispatch_many([{"number": number} for number in range(COUNT)])
    with meter.metered() as cost:
        meter.work()
    assert cost.scripts < COUNT
    assert cost.reads < COUNT


def is_run(meter: Meter, name: str) -> bool:
    """Whether the only job of a queue has completed."""
    return meter.queue.counts()[name]["completed"] == 1


def test_an_idle_worker_is_all_but_silent() -> None:
    """Thirty queues, nothing to do: it waits to be woken, and shows every few seconds, for all at once, its life."""
    with RedisServer() as server:
        meter = Meter(server, threads=1, queues=("default", *(f"queue{number}" for number in range(29))))
        with meter.app.app_context():
            worker = Worker(meter.broker)
            worker.start()
            for name in meter.queues:
                # One after the other, so that their beats do not happen to fall together.
                Nothing.options(queue_name=name).dispatch(number=1)
                wait_until(partial(is_run, meter, name))
            started = time.monotonic()
            with meter.metered() as cost:
                time.sleep(5)
            seconds = time.monotonic() - started
            assert worker.stop()
        meter.close()
    assert cost.reads <= 1.5 * seconds + 2
