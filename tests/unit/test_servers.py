"""The servers that other tests rely on."""

from __future__ import annotations

import pytest
import redis

from tests.servers import KINDS, Kind, RedisServer
from tests.support import wait_until


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of server."""
    value: Kind = request.param
    return value


def test_a_server_keeps_its_data_over_a_crash_if_asked(kind: Kind) -> None:
    """With `appendonly`, what was acknowledged is there after SIGKILL, at the same address."""
    with RedisServer(kind=kind, appendonly=True) as server, server.client() as client:
        client.set("key", "value")
        server.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("key")
        server.start()
        assert client.get("key") == b"value"


def test_a_server_forgets_its_data_otherwise(kind: Kind) -> None:
    """Without `appendonly`, a restart leaves nothing behind that a later test could meet."""
    with RedisServer(kind=kind) as server, server.client() as client:
        client.set("key", "value")
        server.restart()
        assert client.get("key") is None


@pytest.mark.parametrize("tcp", [False, True])
def test_a_password_is_asked_for(kind: Kind, tcp: bool) -> None:
    """The address carries the password, whatever its characters, and nobody gets in without."""
    with RedisServer(kind=kind, tcp=tcp, password="p@ss/w:rd") as server, server.client() as client:
        assert client.ping()
        with pytest.raises(redis.AuthenticationError), redis.Redis.from_url(server.url.replace("p%40ss", "x")) as other:
            other.ping()


def test_a_full_server_refuses_writes(kind: Kind) -> None:
    """`maxmemory` makes a server that is out of memory, not one that drops keys."""
    with RedisServer(kind=kind, maxmemory="3mb") as server, server.client() as client:
        with pytest.raises(redis.OutOfMemoryError):
            wait_until(lambda: client.append("key", b"x" * 1_000_000) > 100_000_000)
        assert client.exists("key")


def test_a_frozen_server_hangs_until_thawed(kind: Kind) -> None:
    """`freeze` is a hung server, not a refused connection, and it can still be ended."""
    with RedisServer(kind=kind) as server, redis.Redis.from_url(server.url, socket_timeout=0.1, retry=None) as client:
        server.freeze()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.thaw()
        wait_until(client.ping)
        server.freeze()
        server.stop()


def test_a_server_that_cannot_start_says_why(kind: Kind) -> None:
    """A wrong setting fails at once, with the server's own words, and leaves no folder."""
    server = RedisServer(kind=kind, options={"no-such-setting": "1"})
    with pytest.raises(AssertionError, match="no-such-setting"), server:
        pytest.fail("it started")
    assert not server.folder.exists()


def test_the_shared_server_is_empty(redis_url: str, redis_client: redis.Redis) -> None:
    """Each test starts on a server without any key."""
    assert redis_client.dbsize() == 0
    redis_client.set("left behind", redis_url)


def test_the_shared_server_is_empty_again(redis_client: redis.Redis) -> None:
    """Whatever an earlier test left behind is gone."""
    assert redis_client.dbsize() == 0
