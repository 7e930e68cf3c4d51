"""The store of one app: its connections, and its transitions with the errors and deadlines of the contract."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from urllib.parse import quote

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

from ..errors import QueueUnavailable
from ..redis_url import parse_redis_url
from .actions import Actions
from .audit import Audit
from .cluster import ClusterClient
from .connect import Resolve, explain, make_client, seek_primary, translate_errors
from .keys import full_id
from .own_connection import Client, OwnConnection
from .roster import Roster
from .transitions import Batch, NewEntry, Stored, Transitions

#: Shares of the dispatch time-out. A pooled connection may turn out to be dead at the first use: then there is time for
#: one more try. 0.1 for the first to fail, the rest for the second, in equal parts for each wait: to connect, for the
#: reply, and before that for Sentinels, or nodes, to tell where to connect to.
_RETRY_WITHIN = 0.1
_WAITS, _WAITS_WHERE_IT_MOVES = 2, 3


class Store:
    """Where an app's jobs are. Connects lazily; safe to share between threads, and after a fork.

    Args:
        url: where Redis is.
        prefix: of all keys.
        dispatch_timeout_s: one deadline for a dispatch.
        socket_timeout_s: for connecting and for each reply of any other call.
        embed: makes what finds, and starts, the server of an `embedded://` address.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        dispatch_timeout_s: float,
        socket_timeout_s: float,
        embed: Callable[[str], Resolve] | None = None,
    ) -> None:
        self.url = url
        self._resolve = embed(url) if embed and self.is_embedded else None
        self._embed = embed
        self.prefix = prefix
        self._dispatch_timeout_s = dispatch_timeout_s
        self._socket_timeout_s = socket_timeout_s
        self.transitions = Transitions(prefix)
        self.roster = Roster(prefix)
        self.client = self.make_client(socket_timeout_s)
        self.actions = Actions(self.client, prefix)
        self.audit = Audit(self.client, prefix)
        waits = _WAITS_WHERE_IT_MOVES if parse_redis_url(url).kind in ("sentinel", "cluster") else _WAITS
        self._dispatch_client = self.make_client(dispatch_timeout_s * (1 - _RETRY_WITHIN) / waits)
        self._dispatching = self.own_connection(self._dispatch_client)

    @property
    def is_embedded(self) -> bool:
        """Whether its server is one that users start themselves."""
        return parse_redis_url(self.url).kind == "embedded"

    @property
    def is_cluster(self) -> bool:
        """Whether queues may be on different nodes."""
        return isinstance(self.client, ClusterClient)

    def url_for_others(self) -> str:
        """The address for a process that cannot start an embedded server: that of its socket.

        Raises:
            QueueUnavailable: the embedded server cannot be started.
        """
        return self.url if self._resolve is None else f"unix://{quote(self._resolve())}"

    def at(self, url: str) -> Store:
        """A store of the same settings on another server."""
        return Store(
            url,
            prefix=self.prefix,
            dispatch_timeout_s=self._dispatch_timeout_s,
            socket_timeout_s=self._socket_timeout_s,
            embed=self._embed,
        )

    def make_client(self, timeout_s: float) -> Redis:
        """One more client for the same server, with a pool of its own."""
        return make_client(self.url, timeout_s=timeout_s, resolve=self._resolve)

    def own_connection(self, client: Redis, *, looks_first: bool = False) -> Client:
        """Its `OwnConnection`; for a cluster, which has many connections, the client itself."""
        return client if self.is_cluster else OwnConnection(client, looks_first=looks_first)

    def enqueue(self, queue: str, entries: Sequence[NewEntry]) -> Stored:
        """Store up to 256 jobs of one queue, as `Transitions.enqueue`.

        Raises:
            QueueUnavailable: within the dispatch time-out; the jobs may have been stored, sending again is safe.
        """
        started_s = time.monotonic()
        job_id = full_id(queue, entries[0].local_id) if len(entries) == 1 else None
        try:
            try:
                return self.transitions.enqueue(self._dispatching, queue, entries)
            except RedisConnectionError:
                if time.monotonic() - started_s > self._dispatch_timeout_s * _RETRY_WITHIN:
                    raise
                return self.transitions.enqueue(self._dispatching, queue, entries)
        except RedisError as error:
            raise self._unavailable(error, job_id) from error

    def enqueue_each(self, batches: Iterable[Batch]) -> Iterator[Stored]:
        """Store batches, in order, as `enqueue` does each; the server takes the next in while one is told of.

        Raises:
            QueueUnavailable: as `enqueue`; of the batch whose turn it is, and of the next.
        """
        unanswered: deque[Batch] = deque()

        def taken() -> Iterator[Batch]:
            for batch in batches:
                unanswered.append(batch)
                yield batch

        left = taken()
        while unanswered or next(left, None) is not None:
            # By itself: it makes sure of the connection, and that the server knows the script.
            stored = self.enqueue(*unanswered[0])
            unanswered.popleft()
            yield stored
            if not isinstance(self._dispatching, OwnConnection) or next(left, None) is None:
                continue
            try:
                for stored in self.transitions.enqueue_each(self._dispatching, chain(tuple(unanswered), left)):
                    unanswered.popleft()
                    yield stored
            except (RedisConnectionError, NoScriptError):
                # Again by itself.
                continue
            except RedisError as error:
                raise self._unavailable(error) from error

    def _unavailable(self, error: RedisError, job_id: str | None = None) -> QueueUnavailable:
        seek_primary(self._dispatch_client, error)
        return QueueUnavailable(explain(self._dispatch_client, error), job_id=job_id)

    def log(self, queue: str, local_id: str, line: str) -> bool:
        """As `Transitions.log`."""
        with translate_errors(self.client):
            return self.transitions.log(self.client, queue, local_id, line)

    def progress(self, queue: str, local_id: str, done: float, total: float) -> bool:
        """As `Transitions.progress`."""
        with translate_errors(self.client):
            return self.transitions.progress(self.client, queue, local_id, done, total)

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self.client.close()
        self._dispatch_client.close()
