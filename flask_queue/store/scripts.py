"""Lua scripts: read from files, put together from includes, run by their digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError, ResponseError

from .keys import QueueKeys
from .own_connection import Client, OwnConnection

#: May go on over more lines, indented.
_KEYS = re.compile(r"^-- KEYS: (.+(?:\n--  +.+)*)$", re.MULTILINE)
_INCLUDE = re.compile(r"^-- @include (\w+)\n", re.MULTILINE)

#: Keys of which each worker has its own.
_OF_WORKER = ("active", "poke")

Argument: TypeAlias = str | bytes | int


@dataclass(frozen=True, slots=True)
class Script:
    """One transition: its text, and which of a queue's keys it wants, in the order of its header."""

    name: str
    text: str
    digest: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A script with its arguments, on one queue."""

    script: Script
    keys: QueueKeys
    args: Sequence[Argument]
    #: The worker whose `active` set, or `poke`, the script means by that name.
    worker: str = ""

    def command(self, *, whole: bool = False) -> list[Argument]:
        """The Redis command that runs it: by its digest, or `whole`, for a server that does not know it yet."""
        how: list[Argument] = ["EVAL", self.script.text] if whole else ["EVALSHA", self.script.digest]
        keys = _keys_of(self.script.name, self.keys.prefix, self.keys.queue, self.worker)
        return [*how, len(keys), *keys, *self.args]

    def packed(self, *, whole: bool = False) -> list[bytes]:
        """The command in the form of Redis's protocol, in half the time that the client library takes."""
        if whole:
            command = self.command(whole=True)
            return [b"".join((b"*%d\r\n" % len(command), *map(_pack, command)))]
        count, head = _head_of(self.script.name, self.keys.prefix, self.keys.queue, self.worker)
        words = [_USUAL.get(word) or _pack(word) for word in self.args]
        return [b"".join((b"*%d\r\n" % (count + len(words)), head, *words))]


@lru_cache(1024)
def _head_of(script: str, prefix: str, queue: str, worker: str) -> tuple[int, bytes]:
    """What all calls of a script on a queue begin with, in the form of Redis's protocol; and how many words that is."""
    words = Call(load(script), QueueKeys(prefix, queue), (), worker).command()
    return len(words), b"".join(map(_pack, words))


def _pack(word: Argument) -> bytes:
    data = word if isinstance(word, bytes) else str(word).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


#: What most arguments are: those of a job with nothing special about it, the numbers of its run.
_USUAL: dict[Argument, bytes] = {word: _pack(word) for word in ("", "-", *range(10))}


@lru_cache(1024)
def _keys_of(script: str, prefix: str, queue: str, worker: str) -> Sequence[str]:
    """The keys that a script wants, of one queue: the same for each of its calls."""
    keys = QueueKeys(prefix, queue)
    return [keys[f"{name}:{worker}" if name in _OF_WORKER else name] for name in load(script).keys]


@cache
def load(name: str) -> Script:
    """The script `lua/<name>.lua`, its keys named by the `KEYS` line of its header.

    Includes may include others; each is put in once, where it is first asked for.
    """
    folder = files(__package__) / "lua"
    source = (folder / f"{name}.lua").read_text(encoding="utf-8")
    declared = _KEYS.search(source)
    names = tuple(re.findall(r"\w+", declared.group(1))) if declared else ()
    naming = f"local {', '.join(names)} = unpack(KEYS)\n" if names else ""

    included: set[str] = set()

    def include(match: re.Match[str]) -> str:
        wanted = match.group(1)
        if wanted in included:
            return ""
        included.add(wanted)
        return _INCLUDE.sub(include, (folder / "includes" / f"{wanted}.lua").read_text(encoding="utf-8"))

    text = naming + _INCLUDE.sub(include, source)
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), names)


def run(client: Client, call: Call) -> Any:
    """Run one script. Redis: one round trip, one more where the server does not know the script yet."""
    try:
        return _run(client, call)
    except NoScriptError:
        return _run(client, call, whole=True)


def run_all(client: Client, calls: Sequence[Call]) -> list[Any]:
    """Run scripts in one pipelined round trip; each is a transition of its own.

    Returns: a reply for each call, in order, or the error with which Redis answered it.
    """
    if len(calls) == 1:
        try:
            return [run(client, calls[0])]
        except ResponseError as error:
            return [error]
    replies = _exchange(client, calls)
    unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        again = _exchange(client, [calls[index] for index in unknown], whole=True)
        for index, reply in zip(unknown, again, strict=True):
            replies[index] = reply
    return replies


def _run(client: Client, call: Call, *, whole: bool = False) -> Any:
    if isinstance(client, OwnConnection):
        return client.execute_packed(call.packed(whole=whole))
    return client.execute_command(*call.command(whole=whole))


def _exchange(client: Client, calls: Sequence[Call], *, whole: bool = False) -> list[Any]:
    if isinstance(client, OwnConnection):
        return client.execute_all([call.packed(whole=whole) for call in calls])
    with client.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.execute_command(*call.command(whole=whole))
        return pipeline.execute(raise_on_error=False)
