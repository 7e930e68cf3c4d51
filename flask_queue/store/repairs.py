"""What no transition leaves behind, but lost or hand-made data can: found, and put right, by one script a kind.

Each script decides what is wrong and changes it in one step, by the same rule whether it looks or fixes: whatever
workers do meanwhile, nothing that is whole is reported or touched.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from redis import Redis

from ..queues import NAME
from . import scans
from .keys import QueueKeys
from .scripts import Argument, Call, load, run
from .state import STATES, StateRecord
from .transitions import BATCH

#: A worker silent for so long does not come back, or shows itself anew.
GONE_MS = 3_600_000
#: Names that Redis looks at in one step of a scan.
_SCAN = 1000
_GLOB = re.compile(r"([*?\[\]\\^])")
_LISTS = ("prioritized", "delayed", "completed", "failed", "cancelled")

Names = dict[str, dict[str, list[str]]]


class Repairs:
    """Looks for damage in the queues of one prefix, and repairs it. Raises the client library's errors.

    Args:
        client: of the server.
        prefix: of all keys.
        fix: whether to repair what is found.
    """

    def __init__(self, client: Redis, prefix: str, *, fix: bool = False) -> None:
        self._client = client
        self._prefix = prefix
        self._mode = "fix" if fix else "look"

    def names(self) -> Names:
        """Queue → kind of key → the rest of each name, as `{"default": {"state": [""], "logs": ["a", "b"]}}`.

        Redis: steps of 1,000 keys, over all that the server has.
        """
        head = f"{{{self._prefix}:"
        found = new_names()
        for key in self._client.scan_iter(match=_GLOB.sub(r"\\\1", head) + "*", count=_SCAN):
            queue, _, name = key.decode(errors="replace").removeprefix(head).partition("}:")
            if NAME.fullmatch(queue):
                kind, _, rest = name.partition(":")
                found[queue][kind].append(rest)
        return found

    def leftovers(self, queue: str, logs: Iterable[str]) -> list[str]:
        """Ids of jobs that are gone and left something behind; repaired, it is deleted. Redis: tidy.lua."""
        keys = self._keys(queue)

        def ids() -> Iterator[str]:
            yield from logs
            for name in ("jobs", "attempts", "progress", "unique_of", "tags"):
                yield from (job for job, _ in scans.fields(self._client, keys[name]))
            yield from (job.decode() for job in self._client.sscan_iter(keys["cancelling"], count=scans.STEP))

        return self._each("tidy", keys, [keys.tag, self._mode], ids())

    def locks(self, queue: str) -> list[str]:
        """Unique locks that no unsettled job has; repaired, they are deleted. Redis: free.lua."""
        keys = self._keys(queue)
        return self._each("free", keys, [self._mode], (name for name, _ in scans.fields(self._client, keys["unique"])))

    def strays(self, queue: str, workers: Iterable[str]) -> list[str]:
        """Ids in lists where their records say they are not; repaired, they are there no more. Redis: unlist.lua."""
        keys, found = self._keys(queue), []
        for name in _LISTS:
            found += self._each("unlist", keys, [self._mode, name, ""], scans.members(self._client, keys[name]))
        for worker in workers:
            held: Any = self._client.sscan_iter(keys[f"active:{worker}"], count=scans.STEP)
            ids = (job.decode() for job in held)
            found += self._each("unlist", keys, [self._mode, "active", worker], ids, worker)
        return found

    def strangers(self, queue: str, indexes: Iterable[str]) -> list[str]:
        """Ids in indexes where their records say they are not, and groups of errors without jobs; repaired, these go.

        Args:
            queue: its name.
            indexes: what `names` told of those, as `tag:vip`; groups of errors are looked at in any case.

        Redis: strike.lua.
        """
        keys, found = self._keys(queue), []
        groups = (f"error:{fingerprint}" for fingerprint, _ in scans.fields(self._client, keys["errors"]))
        for index in dict.fromkeys([*indexes, *groups]):
            kind, _, name = index.partition(":")
            args = [keys.tag, self._mode, kind, name]
            found += self._each("strike", keys, args, scans.members(self._client, keys[f"by:{index}"]))
            found += [group.decode() for group in run(self._client, Call(load("strike"), keys, args))]
        return list(dict.fromkeys(found))

    def unindexed(self, queue: str) -> list[str]:
        """Ids of jobs that an index lacks; repaired, they are found again. Redis: reindex.lua."""
        keys = self._keys(queue)

        def ids() -> Iterator[str]:
            for name in ("failed", "cancelled"):
                yield from scans.members(self._client, keys[name])
            yield from (job for job, _ in scans.fields(self._client, keys["tags"]))

        return self._each("reindex", keys, [keys.tag, self._mode], ids())

    def lost(self, queue: str) -> tuple[list[str], list[str]]:
        """Ids of jobs that are in no list, and of those whose record can't be read.

        Repaired, the former are back where their records say, in the order of their dispatch. Redis: relist.lua.
        """
        keys = self._keys(queue)
        unreadable: list[str] = []
        #: Those that wait without a priority, with a mark of their record. All are read before the list is.
        waiting: dict[str, int] = {}

        def others() -> Iterator[tuple[str, bytes]]:
            for job, text in scans.fields(self._client, keys["state"]):
                record = _readable(text)
                if record is None:
                    unreadable.append(job)
                elif record.state == "w" and record.priority == 0:
                    waiting[job] = _mark(record, text)
                else:
                    yield job, b""

        found = self._relist(keys, others())
        for job in scans.waiting(self._client, keys["waiting"]):
            waiting.pop(job, None)
        return [*found, *self._relist(keys, self._unchanged(keys, waiting))], unreadable

    def _unchanged(self, keys: QueueKeys, marks: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
        """The jobs whose records are what they were, with these; the first to be dispatched first."""
        jobs = iter(sorted(marks, key=marks.__getitem__))
        while some := list(islice(jobs, BATCH)):
            texts: Any = self._client.hmget(keys["state"], some)
            for job, text in zip(some, texts, strict=True):
                record = _readable(text or b"")
                if record and _mark(record, text) == marks[job]:
                    yield job, text

    def _relist(self, keys: QueueKeys, jobs: Iterator[tuple[str, bytes]]) -> list[str]:
        found: dict[str, None] = {}
        while some := list(islice(jobs, BATCH)):
            args: list[Argument] = [keys.tag, self._mode]
            for job, text in some:
                args += (job, text)
            found |= {job.decode(): None for job in run(self._client, Call(load("relist"), keys, args))}
        return list(found)

    def leaseless(self, queue: str, workers: Iterable[str]) -> list[str]:
        """Workers that hold jobs without a lease; repaired, those jobs are taken back. Redis: expire.lua."""
        keys = self._keys(queue)
        calls = {worker: Call(load("expire"), keys, [self._mode, worker], worker) for worker in workers}
        return [worker for worker, call in calls.items() if run(self._client, call)]

    def miscounted(self, queue: str) -> int:
        """By how many the number of waiting jobs is too high; repaired, it is right. Redis: recount.lua."""
        return int(run(self._client, Call(load("recount"), self._keys(queue), [self._mode])))

    def gone(self) -> list[str]:
        """Workers that have been silent for an hour; repaired, they are forgotten. Redis: dismiss.lua."""
        keys = self._keys("")
        known = dict.fromkeys(scans.members(self._client, keys["workers"]))
        for name in ("info", "requests"):
            known |= {worker: None for worker, _ in scans.fields(self._client, keys[name])}
        return self._each("dismiss", keys, [self._mode, GONE_MS], known)

    def _each(
        self,
        script: str,
        keys: QueueKeys,
        args: Sequence[Argument],
        ids: Iterable[str],
        worker: str = "",
    ) -> list[str]:
        """The ids that a script returns, each once."""
        rest, found = iter(ids), dict[str, None]()
        while some := list(islice(rest, BATCH)):
            reply = run(self._client, Call(load(script), keys, [*args, *some], worker))
            found |= {each.decode(): None for each in reply}
        return list(found)

    def _keys(self, queue: str) -> QueueKeys:
        return QueueKeys(self._prefix, queue)


def new_names() -> Names:
    """No names; a queue and a kind of key that are looked for are there, and empty."""
    return defaultdict(lambda: defaultdict(list))


def _readable(text: bytes) -> StateRecord | None:
    """The record; None where it is none."""
    try:
        record = StateRecord.parse(text)
    except (ValueError, TypeError):
        return None
    return record if record.state in STATES else None


def _mark(record: StateRecord, text: bytes) -> int:
    """Changes with the record, and orders by dispatch; much smaller, as there may be a million."""
    return record.created_ms << 32 | zlib.crc32(text)
