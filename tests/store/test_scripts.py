"""Scripts: how they are put together, sent, and sent again when the server has forgotten them."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from redis import Connection, Redis
from redis._parsers import _HiredisParser, _RESP2Parser
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from flask_queue.outcome import Completed, Failed, Released, Retried
from flask_queue.store.connect import make_client
from flask_queue.store.keys import QueueKeys
from flask_queue.store.scripts import Call, load, run, run_all
from flask_queue.store.transitions import CycleReply, CycleRequest, NewEntry, Transitions
from tests.store.checks import GLOBAL_KEYS, KEYS
from tests.store.driver import ERROR, KEEP, MESSAGE, PREFIX, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RedisServer

LUA = files("flask_queue.store") / "lua"
NAMES = sorted(path.name.removesuffix(".lua") for path in LUA.iterdir() if path.name.endswith(".lua"))
INCLUDES = sorted(path.name for path in (LUA / "includes").iterdir())
#: What scripts may call.
COMMANDS = {
    *("EXISTS", "GET", "SET", "TIME", "DEL", "UNLINK", "HDEL", "HEXISTS", "HGET", "HINCRBY", "HMGET", "HSET", "HSETNX"),
    # Of the current minute's counts, and of the minutes and hours that are kept: some hundred entries.
    *("HGETALL", "HKEYS", "HLEN", "HRANDFIELD"),
    # The position of an entry that readers saw, rarely.
    "LPOS",
    *("LINDEX", "LLEN", "LPOP", "LPUSH", "LRANGE", "LTRIM", "RPUSH", "PEXPIRE"),
    *("SADD", "SCARD", "SMEMBERS", "SINTER", "SPOP", "SREM", "SISMEMBER"),
    *("ZADD", "ZCARD", "ZCOUNT", "ZRANGE", "ZRANGEBYSCORE", "ZREM", "ZSCORE"),
}
each_script = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(params=["hiredis", "python"])
def parser(request: pytest.FixtureRequest) -> Any:
    """Each of the client library's parsers; the fast one is an extra that need not be installed."""
    if request.param == "python":
        return _RESP2Parser  # the library takes its RESP3 sibling where that is spoken
    pytest.importorskip("hiredis")
    return _HiredisParser


@pytest.fixture(params=[2, 3])
def spoken(queue: Driver, redis_server: RedisServer, parser: Any, request: pytest.FixtureRequest) -> Iterator[Driver]:
    """The queue, over each protocol and parser."""
    client = Redis.from_url(redis_server.url, protocol=request.param, parser_class=parser, socket_timeout=5)
    with client:
        yield Driver(client, queue.queue)


@each_script
def test_the_header_names_the_keys(name: str) -> None:
    """KEYS of the header are what is sent and what the script calls them; each is a key that a queue has."""
    script = load(name)
    assert script.text.startswith(f"local {', '.join(script.keys)} = unpack(KEYS)\n")
    assert set(script.keys) <= KEYS | {"active", "poke", *GLOBAL_KEYS}
    assert script.digest == hashlib.sha1(script.text.encode()).hexdigest()
    assert "@include" not in script.text


@each_script
def test_every_key_is_declared(name: str) -> None:
    """Also what includes use; in Lua an unknown name is an error at its first use, which may be a rare one."""
    script = load(name)
    used = set(re.findall(r"redis\.call\('\w+', (\w+)", script.text)) & (KEYS | {"active", "poke"})
    assert used <= set(script.keys), used - set(script.keys)


@each_script
def test_the_header_tells_the_contract(name: str) -> None:
    """Purpose, KEYS, ARGV and what is returned, in this order, before any code."""
    head = (LUA / f"{name}.lua").read_text().split("\nlocal ")[0]
    order = [head.find(f"\n-- {word}:") for word in ("KEYS", "ARGV", "Returns")]
    assert 0 < order[0] < order[1] < order[2], order


@each_script
def test_a_transition_fits_on_a_page(name: str) -> None:
    """Less than 60 lines; what is shared is in includes."""
    assert len((LUA / f"{name}.lua").read_text().splitlines()) < 60


def test_every_include_is_used() -> None:
    """No script text lies about unused."""
    texts = [*(LUA / f"{name}.lua" for name in NAMES), *(LUA / "includes" / name for name in INCLUDES)]
    used = {match for text in texts for match in re.findall(r"@include (\w+)", text.read_text())}
    assert {f"{name}.lua" for name in used} == set(INCLUDES)


@each_script
def test_an_include_is_put_in_once(name: str) -> None:
    """However many ask for it: a second copy would be a second variable, and Lua has few."""
    names = re.findall(r"^local function (\w+)", load(name).text, re.MULTILINE)
    assert len(names) == len(set(names)), names


@each_script
def test_only_old_commands_are_called(name: str) -> None:
    """Nothing that Redis 6.2 does not have, nothing that scans, nothing slow on a long list."""
    called = set(re.findall(r"redis\.call\('(\w+)'", load(name).text))
    assert called <= COMMANDS, called - COMMANDS


def everything(queue: Driver) -> list[Any]:
    """Every transition once, and what each returned, without times."""
    transitions, client, name = queue.transitions, queue.client, queue.queue
    queue.add("a", "b", "c", nonce="n1")
    queue.add("z", nonce="n1", due="+60000")
    existing = [(at, job.name, job.state.state) for at, job in queue.add("x", "a", nonce="n2").items()]
    first = queue.cycle(want=4, idle=1)
    jobs = [(job.local_id, job.message, job.state.number, job.state.state) for job in first.claimed]
    ends = [queue.ended("a", Completed('"é"')), queue.ended("b", Failed(ERROR)), queue.ended("c", Retried(0, ERROR))]
    second = queue.cycle(settle=[*ends, queue.ended("z", Released(), number=7)], started=[("x", 1)])
    found = [job.local_id for job in transitions.held(client, name, "w1", ["a"])]
    replies = [existing, jobs, (first.left, first.held), (list(second.late), second.left, second.held), found]
    replies += [queue.log("x", "line"), queue.log("y", "line"), queue.progress("x", 1, 2.5), queue.progress("y", 1, 2)]
    replies += [queue.retry("b", "y", "x"), transitions.unfinished(client, name)]
    queue.silence("w1")
    reaped = queue.reap(max_recoveries=0)
    transitions.leave(client, [name, "other"], "w1")
    return [*replies, (reaped.recovered, list(reaped.given_up), reaped.next_expiry_ms)]


EVERYTHING = [
    [(1, "SendWelcomeEmail", "w")],
    [(local_id, MESSAGE, 1, "a") for local_id in "abcx"],
    (0, 4),
    (["z"], 1, 1),
    ["x"],
    *(True, False, True, False),
    ["f", "", "a"],
    3,
    (0, ["x"], 0),
]


def test_replies_are_the_same_over_every_protocol(spoken: Driver) -> None:
    """RESP2 and RESP3, parsed by hiredis and by Python: the same transitions give the same replies."""
    assert everything(spoken) == EVERYTHING


def test_scripts_survive_a_flush(queue: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that forgets its scripts before every single command, as one that is replaced may, gets them again."""
    execute = queue.client.execute_command

    def forgetful(*command: Any, **options: Any) -> Any:
        if command[0] == "EVALSHA":
            execute("SCRIPT FLUSH")
        return execute(*command, **options)

    monkeypatch.setattr(queue.client, "execute_command", forgetful)
    assert everything(queue) == EVERYTHING


def test_pipelines_survive_a_flush(queue: Driver) -> None:
    """Scripts of a pipeline that the server does not know are sent again, the others are not, replies stay in order."""
    other = Driver(queue.client, "other")
    queue.add("a")
    other.add("b")
    queue.client.script_flush()
    run(queue.client, Call(load("leave"), queue.keys, ["nobody"], "nobody"))
    calls = [
        Call(load("log"), queue.keys, [queue.keys.tag, "a", "line"]),
        Call(load("leave"), queue.keys, ["nobody"], "nobody"),
        Call(load("log"), other.keys, [other.keys.tag, "gone", "line"]),
        Call(load("counts"), other.keys, [other.keys.tag]),
    ]
    assert run_all(queue.client, calls) == [1, 0, 0, [1, 0, 0, 0, 0, 0]]
    assert queue.client.llen(queue.keys["logs:a"]) == 1


class _Flushed(Pipeline):
    """A pipeline in which somebody else's SCRIPT FLUSH arrives after the first command."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        self.command_stack.insert(1, (("SCRIPT FLUSH",), {}))
        replies = super().execute(raise_on_error)
        del replies[1]
        return replies


def test_a_flush_inside_a_pipeline_repeats_nothing(queue: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the later part of a pipeline was forgotten, the earlier part ran once."""
    client = queue.client
    queue.add("a")
    queue.log("a", "known")

    def pipeline(*, transaction: bool) -> _Flushed:
        return _Flushed(client.connection_pool, client.response_callbacks, transaction, None)

    monkeypatch.setattr(client, "pipeline", pipeline)
    calls = [Call(load("log"), queue.keys, [queue.keys.tag, "a", f"{number}"]) for number in range(3)]
    assert run_all(client, calls) == [1, 1, 1]
    assert client.lrange(queue.keys["logs:a"], 0, -1) == [b"known", b"0", b"1", b"2"]


def test_one_queues_error_is_its_own(queue: Driver) -> None:
    """A script that Redis answers with an error changes nothing for the others, alone or in a pipeline."""
    queue.add("a")
    broken = Driver(queue.client, "broken")
    queue.client.set(broken.keys["workers"], "not a zset")
    requests = [CycleRequest("broken", 1, 1), CycleRequest("q", 1, 1)]
    first, second = queue.transitions.cycle(queue.client, "w1", KEEP, requests)
    assert isinstance(first, ResponseError)
    assert isinstance(second, CycleReply)
    assert [job.local_id for job in second.claimed] == ["a"]
    [alone] = queue.transitions.cycle(queue.client, "w1", KEEP, requests[:1])
    assert isinstance(alone, ResponseError)
    queue.client.delete(broken.keys["workers"])


def test_a_lost_connection_is_an_error_of_the_whole_call(queue: Driver) -> None:
    """Nobody can say which of the scripts ran, so it is raised, whatever their number."""
    with make_client("unix:///nonexistent/redis.sock", timeout_s=1) as client:
        for requests in ([CycleRequest("q")], [CycleRequest("q"), CycleRequest("other")]):
            with pytest.raises(RedisConnectionError):
                queue.transitions.cycle(client, "w1", KEEP, requests)


@pytest.mark.parametrize(
    "args",
    [[], ["", 0, -7], ["{tag}", "söme text ☃", b"\x00\r\n$5\r\n", 10**18], ["x" * 100_000] * 3],
    ids=["none", "short", "odd", "long"],
)
def test_a_call_is_packed_as_the_client_library_packs_it(args: list[str | bytes | int]) -> None:
    """Byte for byte, whatever is in it."""
    call = Call(load("enqueue"), QueueKeys("prefix", "q"), args)
    assert b"".join(call.packed()) == b"".join(Connection().pack_command(*call.command()))


def test_no_requests_need_no_server(queue: Driver) -> None:
    """A cycle over no queue does nothing."""
    with make_client("unix:///nonexistent/redis.sock", timeout_s=1) as client:
        assert queue.transitions.cycle(client, "w1", KEEP, []) == []


def test_prefixes_keep_apps_apart(queue: Driver) -> None:
    """Two apps on one server share nothing: all keys of a queue have the hash tag of prefix and name."""
    everything(queue)
    tag = f"{{{PREFIX}:q}}:".encode()
    assert queue.client.dbsize() > 9
    assert all(key.startswith(tag) for key in queue.client.keys("*"))
    assert Transitions("elsewhere").enqueue(queue.client, "q", [NewEntry("a", MESSAGE)])[1] == {}
    queue.client.delete(*queue.client.keys("{elsewhere:q}:*"))
