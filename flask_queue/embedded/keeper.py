"""The process between an embedded server and its users: the server's parent, which ends it after the last of them.

A program of its own, run by path with `python -I -S`: importing the package would cost it the memory of all that the
package imports. It is started inside the data folder, with the locked `server.lock` as its standard input, and so is
the server.

Two locks of the kernel's (`flock`), which no death can leave behind:

- `users.lock`, shared: held by every process that uses the server. Exclusive: by a keeper from the moment it found
  itself alone until its server is reaped.
- `server.lock`, exclusive: one open file, handed from the process that starts a keeper to the keeper and to the server.
  It is free only when all three let go, so one process starts, and two servers never write to one folder, whoever
  was killed.

Why a user never meets a server that is about to stop: it takes its share *before* it looks whether a server answers.
Either its share comes first: then the keeper can't get the lock alone, and doesn't stop. Or the keeper's lock comes
first: then the share is given only after the server is gone, and the user sees no server and starts one. There is no
third order, because the keeper never asks "is anybody there?" without taking the lock by the same call.

A keeper that is killed takes its server along: a shell waits on a pipe whose other end only the keeper holds, and ends
the server (SIGTERM, so nothing is lost) when the pipe breaks. Users then start both anew, as after any crash, and wait
for `server.lock` until the old server has let go.
"""

import fcntl
import os
import signal
import sys
from contextlib import suppress

USERS_LOCK = "users.lock"
SERVER_LOCK = "server.lock"
CONFIG = "server.conf"

#: Seconds between two looks for users: an unused server lives so long at most, and idle costs one wake-up a second.
TICK_S = 1.0
#: Ticks that a server may take to end. It only has to write what `appendfsync everysec` left; then it is killed.
STOP_TICKS = 10
#: Ends the server whose id is the first line, unless there is a second one.
GUARD = 'read -r server && { read -r _ || kill "$server"; }'
WATCHED = {signal.SIGALRM, signal.SIGCHLD, signal.SIGTERM}


def main(binary: str, socket_path: str) -> None:
    """Start the server in the current folder, and return when it is gone.

    Args:
        binary: the server program.
        socket_path: where the server listens, as in its settings.
    """
    if os.fork():
        os._exit(0)  # the starter reaps this half; the other one is nobody's child
    os.umask(0o077)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # macOS may drop a signal that nobody handles, even when blocked
    signal.pthread_sigmask(signal.SIG_SETMASK, WATCHED)
    signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)
    users_lock = os.open(USERS_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    guard = start_guard()
    server = os.posix_spawn(binary, [binary, CONFIG], os.environ, setsigmask=())
    with suppress(BrokenPipeError):  # someone killed the guard: the server is kept all the same
        os.write(guard, b"%d\n" % server)
    keep(server, users_lock, socket_path)
    with suppress(BrokenPipeError):
        os.write(guard, b"done\n")


def start_guard() -> int:
    """Start the shell that ends the server if this process is killed; returns the pipe to write to."""
    reading, writing = os.pipe()
    stdin = (os.POSIX_SPAWN_DUP2, reading, 0)
    os.posix_spawn("/bin/sh", ["sh", "-c", GUARD], os.environ, file_actions=[stdin], setsigmask=())
    os.close(reading)
    return writing


def keep(server: int, users_lock: int, socket_path: str) -> None:
    """Wait until the server ends or nobody uses it any more, and end it then."""
    was_listening = False
    while True:
        cause = signal.sigwait(WATCHED)
        if is_reaped(server):
            break
        # A socket that was deleted, alone or with the whole folder, leaves a server that nobody can reach.
        is_listening = os.path.exists(socket_path)  # noqa: PTH110 - pathlib would be a tenth of this process
        if cause == signal.SIGTERM or is_alone(users_lock) or (was_listening and not is_listening):
            end(server)
            break
        was_listening = is_listening


def is_reaped(server: int) -> bool:
    """Whether the server has ended."""
    return os.waitpid(server, os.WNOHANG)[0] == server


def is_alone(users_lock: int) -> bool:
    """Whether nobody uses the server; if so, nobody can until this process is gone."""
    try:
        fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end(server: int) -> None:
    """Ask the server to end, wait, and make it."""
    os.kill(server, signal.SIGTERM)
    for _ in range(STOP_TICKS):
        signal.sigwait(WATCHED)
        if is_reaped(server):
            return
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
