"""Blocks on wake-up markers, so that an idle worker neither polls nor is late."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from ..store.connect import seek_primary
from ..store.own_connection import Client
from ..store.transitions import Transitions
from .executor import Crashed

#: Longest block. Also the most that a marker costs which got lost with the worker that had popped it.
BLOCK_S = 5
#: A poke ends the wait at once; where Redis is away there is nothing to wait for.
_LAST_WORDS_S = 1.0
#: Until the next wait after one that failed.
ERROR_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Woken:
    """The wait is over: a marker of `queue` was popped, or nothing came; the waiter listens to nothing now."""

    queue: str | None = None
    error: RedisError | None = None
    #: Of what.
    waited: Sequence[str] = ()


class Waiter:
    """One thread and one connection that wait for a marker on any of some queues.

    `listen` and `poke` belong to the pump's thread.

    Args:
        client: for this waiter alone; its socket time-out must exceed `BLOCK_S`.
        worker: id of the worker; names the key by which its own pump ends a wait.
        report: where a `Woken` goes, or the news that the thread has ended.
    """

    def __init__(
        self, client: Redis, transitions: Transitions, worker: str, report: Callable[[Woken | Crashed], None]
    ) -> None:
        self._client = client
        self._transitions = transitions
        self._worker = worker
        self._report = report
        self._requests: SimpleQueue[tuple[str, ...] | None] = SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fq-waiter", daemon=True)
        #: What the thread waits for, as far as the pump knows; empty when it waits for nothing.
        self._listening: frozenset[str] = frozenset()
        self._is_poked = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread once it returns from its block; not waited for, as that may take the whole block."""
        self._stopped.set()
        self._requests.put(None)

    def leave(self, client: Client) -> None:
        """End wait and thread now, through `client`, so that no marker goes to a worker that is gone."""
        self.stop()
        if self._listening:
            self._poke(client)
        self._thread.join(_LAST_WORDS_S)

    def listen(self, queues: Iterable[str], client: Client) -> None:
        """Wait for markers of these queues; a wait that leaves one of them out is ended first, through `client`."""
        wanted = frozenset(queues)
        if wanted <= self._listening or not wanted:
            return
        if self._listening:
            self._poke(client)
            return
        self._listening = wanted
        self._requests.put(tuple(sorted(wanted)))

    def heard(self, woken: Woken) -> None:
        """Note that a `Woken` has arrived."""
        self._listening = frozenset()
        self._is_poked = False

    def _poke(self, client: Client) -> None:
        if self._is_poked:
            return
        self._transitions.poke(client, min(self._listening), self._worker)
        self._is_poked = True

    def _poke_key(self, queue: str) -> str:
        return self._transitions.keys(queue)[f"poke:{self._worker}"]

    def _run(self) -> None:
        try:
            self._wait_on_request()
        except Exception as error:
            # In silence it would leave a worker that only polls.
            self._report(Crashed(error))
        self._client.close()

    def _wait_on_request(self) -> None:
        while (queues := self._requests.get()) is not None:
            woken = self._wait(queues)
            self._report(woken)
            if woken.error is not None:
                # The pump may be able to work all the same, and ask for the next wait at once.
                self._stopped.wait(ERROR_PAUSE_S)

    def _wait(self, queues: tuple[str, ...]) -> Woken:
        markers = {self._transitions.keys(queue)["wake"]: queue for queue in queues}
        try:
            popped: Any = self._client.bzpopmin([*markers, self._poke_key(queues[0])], timeout=BLOCK_S)
        except RedisError as error:
            seek_primary(self._client, error)
            return Woken(error=error, waited=queues)
        return Woken(markers.get(popped[0].decode()) if popped else None, waited=queues)
