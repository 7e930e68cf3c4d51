"""The life of an embedded server, whose users, keeper and self are killed at the worst moments."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.embedded.processes import (
    VISITOR,
    client_of,
    forked,
    is_alive,
    is_locked,
    keeper_pid,
    server_pid,
    start,
    starts,
    stays,
    users,
)
from tests.support import wait_until

if TYPE_CHECKING:
    from flask_queue.embedded import EmbeddedServer


def test_ensure_starts_a_server_that_keeps_data_and_evicts_nothing(server: EmbeddedServer) -> None:
    """A cold start gives a server that answers at once, with the append-only file on and no TCP port."""
    server.ensure()
    with client_of(server) as client:
        settings = client.config_get("append*", "maxmemory-policy", "port", "unixsocketperm")
    expected = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "port": "0"}
    assert settings.items() >= expected.items()


def test_everything_is_closed_to_other_users(server: EmbeddedServer) -> None:
    """Folder, socket, settings, log, locks and data are this user's alone."""
    server.ensure()
    paths = [server.folder, *server.folder.rglob("*")]
    assert {path.name for path in paths} >= {"queue", "server.sock", "server.conf", "server.log", "appendonlydir"}
    assert {path.name: oct(path.lstat().st_mode & 0o077) for path in paths} == {path.name: "0o0" for path in paths}
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.folder / "server.conf").stat().st_mode) == 0o600


def test_threads_share_one_instance(server: EmbeddedServer) -> None:
    """Eight threads that call `ensure` at once get one server, and calling it again changes nothing."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: server.ensure(), range(8)))
    pid = server_pid(server)
    server.ensure()
    assert server_pid(server) == pid
    assert starts(server) == 1


def test_processes_at_once_get_one_server(server: EmbeddedServer) -> None:
    """Eight processes that call `ensure` at the same moment start one server between them."""
    with users(server.folder, 8):
        server.ensure()
        assert starts(server) == 1


def test_server_ends_when_its_last_user_is_killed_and_data_stay(server: EmbeddedServer) -> None:
    """A user that gets SIGKILL gives its share back too: the server ends within 3 s, and nothing is lost."""
    with users(server.folder, 2) as (first, last):
        pid = server_pid(server)
        with client_of(server) as client:
            client.set("kept", "yes")
        first.kill()
        assert stays(lambda: is_alive(pid), 1.2)
        last.kill()
        wait_until(lambda: not is_alive(pid), 3)
    server.ensure()
    with client_of(server) as client:
        assert client.get("kept") == b"yes"


def test_ensure_brings_a_killed_server_back(server: EmbeddedServer) -> None:
    """After SIGKILL of the server the next `ensure` starts it again, data included, within a second."""
    server.ensure()
    with client_of(server) as client:
        client.set("kept", "yes")
    os.kill(server_pid(server), signal.SIGKILL)
    since = time.monotonic()
    server.ensure()
    assert time.monotonic() - since < 1
    with client_of(server) as client:
        assert client.get("kept") == b"yes"


def test_killed_keeper_leaves_no_orphan(server: EmbeddedServer) -> None:
    """A keeper that gets SIGKILL takes its server along; the next `ensure` starts both anew, data included."""
    server.ensure()
    with client_of(server) as client:
        client.set("kept", "yes")
    pid = server_pid(server)
    os.kill(keeper_pid(server), signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), 3)
    server.ensure()
    with client_of(server) as client:
        assert client.get("kept") == b"yes"


def test_ensure_right_after_the_keeper_is_killed_waits_for_the_old_server(server: EmbeddedServer) -> None:
    """While the old server still ends, no second one is started beside it in the folder."""
    server.ensure()
    pid, keeper = server_pid(server), keeper_pid(server)
    with client_of(server) as client:
        client.set("kept", "yes")
    os.kill(pid, signal.SIGSTOP)
    server.socket_path.unlink()  # as if it had closed its socket already, the last thing before it writes its file
    os.kill(keeper, signal.SIGKILL)
    with ThreadPoolExecutor(1) as pool:
        ensured = pool.submit(server.ensure)
        assert stays(lambda: not ensured.done() and is_alive(pid), 0.5)
        os.kill(pid, signal.SIGCONT)
        ensured.result()
    assert not is_alive(pid)
    with client_of(server) as client:
        assert client.get("kept") == b"yes"


def test_ensure_meets_a_stopping_server(server: EmbeddedServer) -> None:
    """A user that comes while the keeper stops the server waits for its end and then gets a new one with the data."""
    with users(server.folder, 1):
        pid = server_pid(server)
        with client_of(server) as client:
            client.set("kept", "yes")
        os.kill(pid, signal.SIGSTOP)  # the keeper's SIGTERM stays pending: the moment of stopping lasts
    wait_until(lambda: is_locked(server.folder / "users.lock"), 3)  # nobody else is there: this is the keeper
    with ThreadPoolExecutor(1) as pool:
        ensured = pool.submit(server.ensure)
        assert stays(lambda: not ensured.done(), 0.5), "it took a server that was about to stop"
        os.kill(pid, signal.SIGCONT)
        ensured.result()
    assert not is_alive(pid)
    with client_of(server) as client:
        assert client.get("kept") == b"yes"


def test_users_that_come_and_go_never_meet_a_stopping_server(server: EmbeddedServer) -> None:
    """Visits timed around the keeper's look for users all find a server, however often it stops between them."""
    visitors = [start(VISITOR, server.folder) for _ in range(3)]
    counts = [int(visitor.communicate(timeout=30)[0]) for visitor in visitors]
    server.ensure()
    with client_of(server) as client:
        assert int(client.get("visits") or 0) == sum(counts)
    assert starts(server) >= 2, "the server never stopped, so this showed nothing"


def test_close_gives_the_share_back(server: EmbeddedServer) -> None:
    """After `close` of the last share the server ends, without an error; `ensure` takes a share anew."""
    server.ensure()
    pid = server_pid(server)
    server.close()
    server.close()
    wait_until(lambda: not is_alive(pid), 3)
    server.ensure()
    assert server_pid(server) != pid


def test_forked_child_holds_a_share_of_its_own(server: EmbeddedServer) -> None:
    """A child that called `ensure` keeps the server when its parent has gone, and frees it when it ends."""
    server.ensure()
    pid = server_pid(server)
    with forked(server.ensure):
        server.close()
        assert stays(lambda: is_alive(pid), 1.2)
    wait_until(lambda: not is_alive(pid), 3)


def test_forked_child_that_never_asks_keeps_nothing(server: EmbeddedServer) -> None:
    """A child forked for something else doesn't keep the server of its parent alive."""
    server.ensure()
    pid = server_pid(server)
    with forked(lambda: None):
        server.close()
        wait_until(lambda: not is_alive(pid), 3)


def test_keeper_keeps_nothing_of_the_process_that_started_it(server: EmbeddedServer) -> None:
    """Neither output nor other files, folder, session or process group: `flask queue dev | cat` ends."""
    reading, writing = os.pipe()
    with users(server.folder, 1, pass_fds=[writing], stderr=subprocess.STDOUT) as (user,):
        os.close(writing)
        server.ensure()
        pids = [server_pid(server), keeper_pid(server)]
        assert os.getsid(user.pid) not in map(os.getsid, pids)
        assert os.getpgid(user.pid) not in map(os.getpgid, pids)
        user.kill()
        assert user.communicate(timeout=5)[0] == "", "someone else holds its output open"
    os.set_blocking(reading, False)
    assert os.read(reading, 1) == b"", "or this would raise BlockingIOError: someone holds the pipe open"
    os.close(reading)
    assert is_alive(pids[0])


def test_keeper_is_nobodys_child(server: EmbeddedServer) -> None:
    """The process that started the server has no child to wait for, now or later."""
    server.ensure()
    assert keeper_pid(server) != os.getpid()
    with pytest.raises(ChildProcessError):
        os.waitpid(-os.getpgid(keeper_pid(server)), os.WNOHANG)


def test_keeper_ends_the_server_on_sigterm(server: EmbeddedServer) -> None:
    """An administrator's SIGTERM to the keeper ends both in order; the next `ensure` starts them again."""
    server.ensure()
    with client_of(server) as client:
        client.set("kept", "yes")
    pid, keeper = server_pid(server), keeper_pid(server)
    os.kill(keeper, signal.SIGTERM)
    wait_until(lambda: not is_alive(pid) and not is_alive(keeper), 3)
    server.ensure()
    with client_of(server) as client:
        assert client.get("kept") == b"yes"


def test_signals_that_the_starter_blocks_or_ignores_still_reach_keeper_and_server(server: EmbeddedServer) -> None:
    """A thread's signal mask is inherited by what it starts; the server must end on SIGTERM all the same."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM})
    ignored = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        server.ensure()
    finally:
        signal.signal(signal.SIGCHLD, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    pid, keeper = server_pid(server), keeper_pid(server)
    server.close()
    wait_until(lambda: not is_alive(pid) and not is_alive(keeper), 3)
    log = (server.folder / "server.log").read_text()
    assert "ready to exit" in log, "it was killed"


def test_deleted_socket_comes_back(server: EmbeddedServer) -> None:
    """A server whose socket someone removed is unreachable: it is replaced by the next `ensure`, data included."""
    server.ensure()
    with client_of(server) as client:
        client.set("kept", "yes")
    assert stays(server.socket_path.exists, 1.2)  # so that the keeper has seen it
    server.socket_path.unlink()
    server.ensure()
    with client_of(server) as client:
        assert client.get("kept") == b"yes"


def test_deleted_folder_starts_anew(server: EmbeddedServer) -> None:
    """A folder removed under a running server is made again, empty, and the old server goes."""
    server.ensure()
    pid = server_pid(server)
    with client_of(server) as client:
        client.set("kept", "no")
    shutil.rmtree(server.folder)
    server.ensure()
    with client_of(server) as client:
        assert client.get("kept") is None
    wait_until(lambda: not is_alive(pid), 3)
    assert stays(lambda: is_alive(server_pid(server)), 1.2), "this process's share is in the old folder"
