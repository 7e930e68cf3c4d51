"""One worker process, from start to a graceful or a quick end."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Literal, NoReturn

from ..broker import QueueBroker
from ..store.roster import Request
from ..worker import Worker
from ..worker.health import Health, serving_health
from ..worker.heartbeat import Heartbeat
from ..worker.leash import Done, Leash, Order, Status, Tired
from ..worker.limits import Limits
from ..worker.memory import rss_bytes
from .again import Command
from .scrape import metrics_page
from .stopping import on_stop

logger = logging.getLogger("flask_queue.worker")

#: Seconds between two looks at limits and health. Also the longest that a signal waits which the kernel has given to
#: another thread than the main one, where only Python's next step on that one runs its handler.
LOOK_S = 0.25
#: Seconds between two looks at the memory.
RSS_LOOK_S = 2.0

#: Stop within the shutdown time; finish what runs, and end; finish, and run anew; it is over already.
End = Literal["stop", "finish", "restart", "over"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one worker process is to do."""

    queues: Mapping[str, int] | None
    is_burst: bool
    limits: Limits
    health_port: int | None
    #: The socket to its supervisor.
    leash: int | None
    json_lines: bool


class Service:
    """The worker of this process and all who may end it. Belongs to the main thread.

    Args:
        broker: of the app.
        plan: what to do.
        command: what has started this process.
    """

    def __init__(self, broker: QueueBroker, plan: Plan, command: Command) -> None:
        self._broker = broker
        self._plan = plan
        self._command = command
        self._limit_s = broker.config.shutdown_timeout_s
        self._news: SimpleQueue[tuple[End, str]] = SimpleQueue()
        on_stop(lambda name: self._news.put(("stop", name)), _give_up)
        self._leash = None if plan.leash is None else Leash(plan.leash, self._obey)
        self._worker = Worker(
            broker,
            plan.queues,
            is_burst=plan.is_burst,
            # Under a supervisor it goes on until its turn to be replaced comes.
            max_jobs=None if self._leash else plan.limits.jobs,
            heartbeat=Heartbeat(broker, json_lines=plan.json_lines),
            on_request=self._heed,
        )
        self._started_s = time.monotonic()
        self._told: Status | None = None
        self._is_tired = False
        self._status = 0
        self._rss_at_s, self._rss_bytes = 0.0, 0

    def run(self) -> NoReturn:
        """Work until it is time to end, and end the process."""
        with ExitStack() as contexts:
            if self._plan.health_port is not None:
                contexts.enter_context(serving_health(self._plan.health_port, self._health, metrics_page(self._broker)))
            # What was loaded stays: garbage collection need not look at it while jobs run.
            gc.collect()
            gc.freeze()
            self._worker.start()
            Thread(target=self._report_end, name="fq-end", daemon=True).start()
            end = self._wait()
            if end == "over" and self._leash is not None and not self._worker.has_failed:
                self._leash.tell(Done("nothing is left to do"))
            if end in ("finish", "restart"):
                end = self._finish(end)
            have_ended = self._stop()
        if end == "restart":
            logging.shutdown()
            self._command.replace_this_process()
        self._exit(have_ended)

    def _wait(self) -> End:
        """Until something tells how to end."""
        while True:
            try:
                end, reason = self._news.get(timeout=LOOK_S)
            except Empty:
                self._tell_health()
                self._check_limits()
                continue
            if end == "stop":
                text = "%s: finishing what runs, in at most %g s; once more to end at once."
                logger.info(text, reason, self._limit_s)
            elif end != "over":
                logger.info("Finishing what runs, and ending then: %s.", reason)
            return end

    def _finish(self, end: End) -> End:
        """Claim nothing more and wait for what runs, unless something else ends this earlier."""
        self._worker.quiet()
        while any(not run.is_overdue for run in self._worker.running.look()):
            try:
                other, _ = self._news.get(timeout=LOOK_S)
            except Empty:
                self._tell_health()
                continue
            if other in ("stop", "over"):
                return other
        return end

    def _tell_health(self) -> None:
        health = Status(self._worker.is_alive, self._worker.is_ready)
        if self._leash and health != self._told:
            self._told = health
            self._leash.tell(health)

    def _check_limits(self) -> None:
        age_s = time.monotonic() - self._started_s
        if reached := self._plan.limits.reached(jobs=self._worker.running.count, age_s=age_s, rss_bytes=self._rss()):
            self._tire("finish", reached)

    def _rss(self) -> int:
        """Looked at every few seconds, and only where it matters: some systems take a process to tell it."""
        now_s = time.monotonic()
        if self._plan.limits.memory_mb is not None and now_s >= self._rss_at_s:
            self._rss_at_s, self._rss_bytes = now_s + RSS_LOOK_S, rss_bytes()
        return self._rss_bytes

    def _tire(self, end: End, reason: str) -> None:
        """This process is to be replaced, by its supervisor when its turn comes, or has done its share."""
        if self._leash is None:
            self._news.put((end, reason))
        elif not self._is_tired:
            self._is_tired = True
            self._leash.tell(Tired(reason))

    def _heed(self, request: Request) -> None:
        """Do what an operator asks; it comes again with every report. On the pump's thread."""
        if request == "restart":
            self._tire("restart", "an operator asked for a restart")
            return
        if self._leash is not None:
            self._leash.tell(Done("an operator stopped it"))
        self._news.put(("stop", "An operator asked for it"))

    def _obey(self, order: Order) -> None:
        """Do what the supervisor says. On the leash's thread."""
        if order == "finish":
            self._news.put(("finish", "the supervisor replaces this process"))
        else:
            self._news.put(("stop", "The supervisor is gone" if order == "gone" else "The supervisor stops"))

    def _health(self) -> Health:
        status = Status(self._worker.is_alive, self._worker.is_ready)
        return Health(status.is_alive, status.is_ready, {os.getpid(): status})

    def _report_end(self) -> None:
        self._worker.join()
        self._news.put(("over", ""))

    def _stop(self) -> bool:
        """Stop the worker; whether nothing of it is left."""
        try:
            return self._worker.stop()
        except Exception:
            logger.exception("The worker could not be stopped.")
            self._status = 1
            return False

    def _exit(self, have_ended: bool) -> NoReturn:
        """End the process, whatever threads are left."""
        status = 1 if self._worker.has_failed else self._status
        if have_ended:
            sys.exit(status)
        logger.warning("Some job threads do not end; they are left behind.")
        logging.shutdown()
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(status)


def _give_up(name: str) -> None:
    # Not through logging: the line about the first signal may be under way and hold its lock. Nobody may be reading.
    with suppress(OSError):
        os.write(2, f"{name} again: ending at once; other workers take over what was running.\n".encode())
    os._exit(1)
