"""Processes that use an embedded server, and what can be seen of those behind it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import flask_queue
from tests.needs import require
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask_queue.embedded import EmbeddedServer

#: Another user of the folder: says "ready", then lives until it is killed or its input ends.
USER = """
import sys
from pathlib import Path
from flask_queue.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.ensure()
print("ready", flush=True)
sys.stdin.read()
"""
#: Comes and goes, with pauses about as long as a keeper's tick: prints how often it counted.
VISITOR = """
import random, sys, time
from pathlib import Path
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from flask_queue.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
visits = 0
ends_at = time.monotonic() + 3
while time.monotonic() < ends_at:
    server.ensure()
    with redis.Redis(unix_socket_path=str(server.socket_path), retry=Retry(NoBackoff(), 0)) as client:
        client.incr("visits")
    visits += 1
    server.close()
    time.sleep(random.uniform(0.7, 1.3))
print(visits)
"""


def client_of(server: EmbeddedServer) -> redis.Redis:
    """A client that doesn't hide a lost connection by trying again."""
    return redis.Redis(unix_socket_path=str(server.socket_path), socket_timeout=5, retry=Retry(NoBackoff(), 0))


def server_pid(server: EmbeddedServer) -> int:
    with client_of(server) as client:
        return int(client.info("server")["process_id"])


def keeper_pid(server: EmbeddedServer) -> int:
    pid = int(ps("ppid", server_pid(server)))
    assert "keeper.py" in ps("args", pid)
    return pid


def ps(field: str, pid: int) -> str:
    command = [require("ps"), "-ww", "-o", f"{field}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def is_alive(pid: int) -> bool:
    return ps("stat", pid).strip().startswith(tuple("DIRSTU"))


def starts(server: EmbeddedServer) -> int:
    """How often a server has come up in the folder."""
    return (server.folder / "server.log").read_text().count("Ready to accept connections")


def is_locked(path: Path) -> bool:
    """Whether someone has the file exclusively."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def stays(predicate: Callable[[], bool], seconds: float) -> bool:
    """Whether it holds all the time."""
    try:
        wait_until(lambda: not predicate(), seconds, interval=0.05)
    except AssertionError:
        return True
    return False


def environment() -> dict[str, str]:
    """For processes that import the same flask_queue as this one."""
    return {**os.environ, "PYTHONPATH": str(Path(flask_queue.__path__[0]).parent)}


def start(code: str, folder: Path, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment(), **options)


@contextmanager
def users(folder: Path, count: int, **options: Any) -> Iterator[list[subprocess.Popen[str]]]:
    """So many other processes, started at once, each with its share; killed at the end."""
    with ExitStack() as stack:
        started = [stack.enter_context(start(USER, folder, **options)) for _ in range(count)]
        for user in started:
            stack.callback(user.kill)
        assert [user.stdout and user.stdout.readline() for user in started] == ["ready\n"] * count
        yield started


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[int]:
    """A child of this process that has done the work and now waits to be killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            work()
            os.write(writing, b"done")
            signal.pause()
        os._exit(1)
    os.close(writing)
    try:
        assert os.read(reading, 4) == b"done"
        yield child
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
