"""What operators change: jobs and queues, one script each, and safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from redis import Redis

from .connect import translate_errors
from .keys import QueueKeys
from .scripts import Argument, Call, load, run, run_all
from .transitions import BATCH

#: What can be done to many jobs at once.
Action: TypeAlias = Literal["retry", "cancel", "promote", "delete"]
#: The letters of the states in which a job may be deleted: any but active.
DELETABLE = "wdcfx"
#: Those in which it may be retried.
RETRIABLE = "fx"


class Actions:
    """The operator's transitions. Each takes up to 256 jobs of one queue, and is one round trip.

    For each job they return its state letter before, or an empty text for an unknown one. The header of each script
    says from which states it leads on; jobs in others are left as they are.

    Raises:
        QueueUnavailable: Redis did not answer; the change may have been made, and making it again is safe.
    """

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def keys(self, queue: str) -> QueueKeys:
        """The keys of a queue."""
        return QueueKeys(self._prefix, queue)

    def retry(
        self, queue: str, local_ids: Sequence[str], *, states: str = RETRIABLE, until_ms: int | None = None
    ) -> list[str]:
        """Put failed and cancelled jobs back to waiting. Redis: retry.lua.

        Args:
            queue: where they are.
            local_ids: their ids.
            states: letters of the states in which they may go, of `RETRIABLE`.
            until_ms: only those that ended by then (Unix ms).

        Returns: `p` for one whose payload is lost, `u` where another has its unique key, `-` for another state or time.
        """
        until = "" if until_ms is None else until_ms
        return self._letters("retry", queue, [self.keys(queue).tag, states, until, *local_ids])

    def cancel(self, queue: str, local_ids: Sequence[str]) -> list[str]:
        """Cancel waiting and delayed jobs, and ask active ones to stop. Redis: cancel.lua."""
        return self._letters("cancel", queue, [self.keys(queue).tag, *local_ids])

    def promote(self, queue: str, local_ids: Sequence[str]) -> list[str]:
        """Let delayed jobs run now. Redis: promote.lua."""
        return self._letters("promote", queue, local_ids)

    def reschedule(self, queue: str, local_id: str, due_ms: int) -> str:
        """Give a delayed job another time (Unix ms). Redis: reschedule.lua."""
        letter: bytes = self._run("reschedule", queue, [local_id, due_ms])
        return letter.decode()

    def delete(
        self, queue: str, local_ids: Sequence[str], *, states: str = DELETABLE, until_ms: int | None = None
    ) -> list[str]:
        """Delete jobs. Redis: delete.lua.

        Args:
            queue: where they are.
            local_ids: their ids.
            states: letters of the states in which they may go, of `DELETABLE`.
            until_ms: only those that finished, or if unfinished were created, by then (Unix ms).

        Returns: `+` for each that was deleted.
        """
        until = "" if until_ms is None else until_ms
        return self._letters("delete", queue, [self.keys(queue).tag, states, until, *local_ids])

    def apply(
        self, action: Action, ids: Mapping[str, Sequence[str]], *, states: str, until_ms: int | None = None
    ) -> dict[str, list[str]]:
        """Do it to many jobs of several queues. Redis: one round trip.

        Args:
            action: which.
            ids: queue → local ids.
            states: letters of the states in which jobs may be retried or deleted.
            until_ms: for these, as in `retry` and `delete`.

        Returns: queue → what the script says of each, as the method of the action.
        """
        heads = {queue: self._head(action, queue, states, until_ms) for queue in ids}
        parts = [(queue, some[at : at + BATCH]) for queue, some in ids.items() for at in range(0, len(some), BATCH)]
        calls = [Call(load(action), self.keys(queue), [*heads[queue], *some]) for queue, some in parts]
        found: dict[str, list[str]] = {queue: [] for queue in ids}
        with translate_errors(self._client):
            for (queue, _), reply in zip(parts, run_all(self._client, calls) if calls else [], strict=True):
                if isinstance(reply, Exception):
                    raise reply
                found[queue] += (letter.decode() for letter in reply)
        return found

    def sweep(self, queue: str) -> int:
        """Remove what deleted and cancelled jobs left at the front of the queue; 0 once it is all. Redis: sweep.lua."""
        return int(self._run("sweep", queue, []))

    def pause(self, queue: str, reason: str) -> None:
        """Let no worker take jobs of the queue. Redis: a single write."""
        with translate_errors(self._client):
            self._client.hset(self.keys(queue)["meta"], "paused", reason)

    def resume(self, queue: str) -> bool:
        """Let workers take them again; whether they could not. Redis: resume.lua."""
        return bool(self._run("resume", queue, []))

    def _head(self, action: Action, queue: str, states: str, until_ms: int | None) -> list[Argument]:
        """What a script gets before the ids."""
        tag = self.keys(queue).tag
        match action:
            case "promote":
                return []
            case "cancel":
                return [tag]
        return [tag, states, "" if until_ms is None else until_ms]

    def _letters(self, script: str, queue: str, args: Sequence[Argument]) -> list[str]:
        return [letter.decode() for letter in self._run(script, queue, args)]

    def _run(self, script: str, queue: str, args: Sequence[Argument]) -> Any:
        with translate_errors(self._client):
            return run(self._client, Call(load(script), self.keys(queue), args))
