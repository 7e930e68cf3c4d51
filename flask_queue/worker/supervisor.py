"""Keeps a number of worker processes running: starts them, replaces those that end, and ends them all together."""

from __future__ import annotations

import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from .child import Child
from .health import Health
from .leash import Done, Order, Status, Tired, Word

logger = logging.getLogger("flask_queue.worker")

#: Seconds between two looks at the processes.
LOOK_S = 0.2
#: Seconds until a process that has died is replaced, doubled for each that dies soon after its start.
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0
#: A process that has lived for so many seconds did not die of its start.
STEADY_S = 60.0
#: While processes are replaced one at a time, the next one waits so many seconds at most for the last one to claim.
READY_S = 30.0

Message = Callable[[], None]


@dataclass(slots=True)
class Place:
    """Where one process runs, one after the other."""

    child: Child | None = None
    #: When the next process starts; None: never.
    start_at_s: float | None = 0.0
    #: How many have died one soon after the other.
    failures: int = 0


@dataclass(slots=True)
class Replacing:
    """The process that is being replaced now, and the one in its place."""

    place: Place
    old: Child
    since_s: float = field(default_factory=time.monotonic)


class Supervisor:
    """Runs worker processes until it is stopped, or until none is left that is to be replaced.

    `stop`, `kill` and `replace_all` may be called from signal handlers and threads; `run` belongs to one thread.

    Args:
        start: starts a process, which tells what it has to say through the function that it is given.
        count: how many.
        shutdown_timeout_s: for all of them to end.
        replace_by: what a process is told that is to be replaced.
    """

    def __init__(
        self,
        start: Callable[[Callable[[Child, Word], None]], Child],
        count: int,
        *,
        shutdown_timeout_s: float,
        replace_by: Order = "finish",
    ) -> None:
        self._start = start
        self._replace_by: Order = replace_by
        self._shutdown_timeout_s = shutdown_timeout_s
        self._places = [Place() for _ in range(count)]
        self._messages: SimpleQueue[Message] = SimpleQueue()
        #: Processes that wait for their turn to be replaced.
        self._tired: deque[Child] = deque()
        self._done: set[Child] = set()
        self._replacing: Replacing | None = None
        self._kill_at_s: float | None = None
        self._status = 0

    def run(self) -> int:
        """Supervise. Returns the exit status: 0, or 1 if processes had to be killed at the end."""
        while self._is_needed():
            self._start_due()
            self._take_messages()
            self._look_at_the_dead()
            self._replace_next()
            self._kill_late()
        return self._status

    def stop(self, reason: str) -> None:
        """End all processes gracefully."""
        self._messages.put(lambda: self._stop(reason))

    def kill(self, reason: str) -> None:
        """End all processes now."""
        self._messages.put(lambda: self._kill_all(f"{reason} again: ending at once."))

    def replace_all(self, reason: str) -> None:
        """Replace all processes, one at a time; start those at once that wait because the last ones died."""
        self._messages.put(lambda: self._replace_all(reason))

    def health(self) -> Health:
        """How the processes are together: alive and ready if one is."""
        states = {child.pid: child.status for child in self._children()}
        is_ready = any(status.is_ready for status in states.values()) and self._kill_at_s is None
        return Health(any(status.is_alive for status in states.values()), is_ready, states)

    def _children(self) -> Sequence[Child]:
        return [place.child for place in self._places if place.child is not None]

    def _is_needed(self) -> bool:
        is_stopping = self._kill_at_s is not None
        return any(place.child or (place.start_at_s is not None and not is_stopping) for place in self._places)

    def _take_messages(self) -> None:
        try:
            message = self._messages.get(timeout=LOOK_S)
            while True:
                message()
                message = self._messages.get_nowait()
        except Empty:
            return

    def _heed(self, child: Child, word: Word) -> None:
        """Take in what a process tells. On the thread of its leash."""
        match word:
            case Tired():
                self._messages.put(lambda: self._tire(child, word.reason))
            case Done():
                self._messages.put(lambda: self._done.add(child))
            case Status():
                pass

    def _tire(self, child: Child, reason: str) -> None:
        is_being_replaced = self._replacing is not None and self._replacing.old is child
        if child in self._children() and child not in self._tired and not is_being_replaced:
            logger.info("Worker process %d is to be replaced: %s.", child.pid, reason)
            self._tired.append(child)

    def _start_due(self) -> None:
        if self._kill_at_s is not None:
            return
        for place in self._places:
            if place.child is None and place.start_at_s is not None and place.start_at_s <= time.monotonic():
                self._start_at(place)

    def _start_at(self, place: Place) -> None:
        try:
            place.child = self._start(self._heed)
        except OSError as error:
            # Out of memory, of processes or of files.
            logger.error("No worker process can be started (%s); tried again in %g s.", error, self._back_off(place))
        else:
            logger.info("Worker process %d starts.", place.child.pid)

    def _look_at_the_dead(self) -> None:
        for place in self._places:
            child = place.child
            if child is not None and (status := child.ended()) is not None:
                place.child = None
                self._plan_next(place, child, status)

    def _plan_next(self, place: Place, child: Child, status: int) -> None:
        now_s = time.monotonic()
        was_tired = self._replacing is not None and self._replacing.old is child
        if child in self._tired:
            self._tired.remove(child)
        if self._kill_at_s is not None:
            return
        if child in self._done:
            self._done.discard(child)
            place.start_at_s = None
            logger.info("Worker process %d has ended, and is not replaced.", child.pid)
        elif was_tired and status == 0:
            place.start_at_s, place.failures = now_s, 0
        else:
            if now_s - child.started_s > STEADY_S:
                place.failures = 0
            text = "Worker process %d %s; another starts in %g s."
            logger.error(text, child.pid, _how(status), self._back_off(place))

    def _back_off(self, place: Place) -> float:
        """Let the place wait; how many seconds."""
        place.failures += 1
        delay_s = min(MAX_BACKOFF_S, MIN_BACKOFF_S * 2.0 ** (place.failures - 1))
        place.start_at_s = time.monotonic() + delay_s
        return delay_s

    def _replace_next(self) -> None:
        if self._replacing is not None:
            if not self._is_replaced(self._replacing):
                return
            self._replacing = None
        if self._tired and self._kill_at_s is None:
            child = self._tired.popleft()
            (place,) = [place for place in self._places if place.child is child]
            self._replacing = Replacing(place, child)
            child.tell(self._replace_by)

    def _is_replaced(self, replacing: Replacing) -> bool:
        new = replacing.place.child
        if new is replacing.old:
            return False
        if new is None:
            # It has ended for good, or its successor died and is waited for by nobody.
            return replacing.place.start_at_s is None or replacing.place.failures > 0
        return new.status.is_ready or time.monotonic() > new.started_s + READY_S

    def _stop(self, reason: str) -> None:
        logger.info(
            "%s: ending %d worker processes, in at most %g s; once more to end at once.",
            reason,
            len(self._children()),
            self._shutdown_timeout_s,
        )
        self._kill_at_s = time.monotonic() + self._shutdown_timeout_s
        for child in self._children():
            child.tell("stop")

    def _kill_late(self) -> None:
        if self._kill_at_s is not None and time.monotonic() >= self._kill_at_s:
            self._kill_all("The shutdown time is over.")

    def _kill_all(self, reason: str) -> None:
        if not self._children():
            return
        pids = ", ".join(str(child.pid) for child in self._children())
        logger.warning("%s Worker processes %s are killed; others take over what was running.", reason, pids)
        self._status = 1
        for child in self._children():
            child.kill()

    def _replace_all(self, reason: str) -> None:
        for place in self._places:
            if place.child is not None:
                self._tire(place.child, reason)
            elif place.start_at_s is not None:
                place.start_at_s, place.failures = 0.0, 0


def _how(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
