"""`flask queue doctor`: each fault is there for real, is found, and is told with its remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue.current import broker_of
from flask_queue.worker import Worker
from tests.cli import program
from tests.cli.liar import lying, replacing
from tests.cli.processes import CommandLine
from tests.servers import RedisServer
from tests.store.checks import check_queue
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from tests.cli.conftest import Invoke

SHIFT_S = 40


@pytest.fixture
def serving(app: Flask) -> Iterator[Worker]:
    """A worker for all queues that has shown itself."""
    worker = Worker(broker_of(app))
    worker.start()
    try:
        wait_until(program.queue.workers, 20)
        yield worker
    finally:
        assert worker.stop()


def examine(bare: CommandLine, url: str, *words: str, **settings: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit status, and the findings by what was looked at."""
    done = bare.run("queue", "doctor", "--json", *words, QUEUE_REDIS_URL=url, **settings)
    assert done.stderr == ""
    by_check: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout):
        by_check.setdefault(finding["check"], []).append(finding)
    return done.returncode, by_check


def level_of(found: dict[str, list[dict[str, Any]]], check: str) -> tuple[str, str]:
    """The level and the words of a check's only finding; what is wrong has a remedy."""
    [finding] = found[check]
    assert (finding["level"] == "ok") == (finding["remedy"] == "")
    return finding["level"], finding["message"]


def test_all_is_well(bare: CommandLine, own_server: RedisServer) -> None:
    """With a durable server nothing is an error: only workers are missing, which is a warning while nothing waits."""
    status, found = examine(bare, own_server.url)
    assert status == 0
    for check in ("server", "version", "eviction", "persistence", "clock", "scripts", "orphans"):
        assert level_of(found, check)[0] == "ok"
    assert [finding["level"] for finding in found["workers"]] == ["warning", "warning"]
    text = bare.run("queue", "doctor", QUEUE_REDIS_URL=own_server.url).stdout.splitlines()
    assert "ok       jobs are kept in an append-only file" in text
    at = text.index("warning  queue 'emails' has no worker")
    assert text[at + 1] == "         Start one: flask queue work."


@pytest.mark.parametrize("url", ["redis://:hush@127.0.0.1:1/0", "unix:///nowhere/redis.sock"])
def test_a_server_that_is_away_is_an_error(bare: CommandLine, url: str) -> None:
    """It is a finding like others, and tells no secrets."""
    status, found = examine(bare, url)
    level, message = level_of(found, "server")
    assert (status, level, list(found)) == (1, "error", ["server"])
    assert "is not available" in message
    assert "hush" not in str(found)


@pytest.mark.parametrize(
    ("told", "old", "status"),
    [
        ("redis_version:6.0.20", "Redis 6.0.20", 1),
        ("redis_version:6.2.0", "Redis 6.2.0", 0),
        ("server_name:valkey\r\nvalkey_version:7.1.9\r\nredis_version:7.2.4", "Valkey 7.1.9", 1),
    ],
)
def test_an_old_server_is_an_error(
    bare: CommandLine, own_server: RedisServer, told: str, old: str, status: int
) -> None:
    """Whatever works by chance today."""

    def change(reply: bytes) -> bytes:
        lines = re.search(
            rb"(?:server_name:valkey\r\n)?redis_version:[^\r]*(?:\r\nserver_name:[^\r]*)?(?:\r\nvalkey_version:[^\r]*)?",
            reply,
        )
        return replacing(lines[0].rstrip(b"\r"), told.encode())(reply) if lines else reply

    with lying(own_server, {"INFO": change}) as url:
        ended, found = examine(bare, url)
    assert ended == status
    assert level_of(found, "version") == (("error", f"{old} is too old") if status else ("ok", old))


def test_another_eviction_policy_is_told(bare: CommandLine, own_server: RedisServer) -> None:
    """An error where memory is limited, else a warning."""
    with own_server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        status, found = examine(bare, own_server.url)
        assert (status, level_of(found, "eviction")[0]) == (0, "warning")
        client.config_set("maxmemory", "100mb")
        status, found = examine(bare, own_server.url)
        assert (status, level_of(found, "eviction")[0]) == (1, "error")
        assert "allkeys-lru" in level_of(found, "eviction")[1]


def test_a_server_that_keeps_nothing_is_an_error(bare: CommandLine) -> None:
    """Snapshots are enough, and where the server does not tell it is a warning."""
    with RedisServer() as server, server.client() as client:
        status, found = examine(bare, server.url)
        assert (status, level_of(found, "persistence")) == (
            1,
            ("error", "the server keeps nothing: a restart loses all jobs"),
        )
        client.config_set("save", "3600 1")
        status, found = examine(bare, server.url)
        assert (status, level_of(found, "persistence")[0]) == (0, "ok")
        client.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"])
        status, found = examine(bare, server.url)
        assert (status, level_of(found, "persistence")[0]) == (0, "warning")


@pytest.mark.parametrize(("shift_s", "words"), [(SHIFT_S, "behind"), (-SHIFT_S, "ahead of")])
def test_clocks_that_differ_are_told(bare: CommandLine, own_server: RedisServer, shift_s: int, words: str) -> None:
    """Which is ahead, and by how much."""

    def change(reply: bytes) -> bytes:
        count, size, seconds, *rest = reply.split(b"\r\n")
        return b"\r\n".join([count, size, b"%d" % (int(seconds) + shift_s), *rest])

    with lying(own_server, {"TIME": change}) as url:
        _, found = examine(bare, url)
    level, message = level_of(found, "clock")
    assert level == "warning"
    away = re.fullmatch(rf"this host's clock is (\d+\.\d) s {words} the server's", message)
    assert away
    assert SHIFT_S - 1 < float(away[1]) < SHIFT_S + 1


@pytest.mark.parametrize(
    "rights",
    [
        {"keys": ["*"], "commands": ["+@all", "-evalsha", "-eval"]},
        {"keys": ["other*"], "commands": ["+@all"]},
        {"keys": ["*"], "commands": ["+@all", "-zrem"]},
    ],
    ids=["commands", "keys", "inside"],
)
def test_scripts_that_may_not_run_are_an_error(
    bare: CommandLine, own_server: RedisServer, rights: dict[str, list[str]]
) -> None:
    """The server refuses them, or the keys, or a command inside of them; whatever else can be seen is told."""
    with own_server.client() as client:
        client.acl_setuser("app", enabled=True, passwords=["+hush"], **rights)
    url = own_server.url.replace("unix://", "unix://app:hush@")
    status, found = examine(bare, url)
    level, message = level_of(found, "scripts")
    assert (status, level) == (1, "error")
    assert "does not let scripts run" in message
    assert level_of(found, "persistence")[0] == "ok"
    assert "hush" not in str(found)


def test_a_replica_is_an_error(bare: CommandLine, own_server: RedisServer) -> None:
    """After a failover the old address may be that of one."""
    with own_server.client() as client:
        client.replicaof("127.0.0.1", "1")
        status, found = examine(bare, own_server.url)
        client.replicaof("NO", "ONE")
    assert (status, level_of(found, "scripts")) == (1, ("error", "the server is a read-only replica"))


def test_the_documented_rights_are_enough(bare: CommandLine, own_server: RedisServer) -> None:
    """With them nothing is wrong; names of keys need one more."""
    page = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
    found_line = re.search(r"^ACL SETUSER flask-queue (.+)$", page, re.MULTILINE)
    assert found_line
    rights = found_line[1].replace("PASSWORD", "hush").split()
    url = own_server.url.replace("unix://", "unix://app:hush@")
    with own_server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", *rights)
        status, found = examine(bare, url)
        assert (status, *level_of(found, "scripts")) == (0, "ok", "scripts run")
        assert [finding["level"] for finding in found["orphans"]] == ["warning", "ok"]
        client.execute_command("ACL", "SETUSER", "app", "+scan")
    status, found = examine(bare, url)
    assert {check for check in found if any(finding["level"] != "ok" for finding in found[check])} == {"workers"}


def test_queues_without_workers_are_told(app: Flask, invoke: Invoke, redis_url: str) -> None:
    """An error where jobs wait; nothing is said of those that have one."""
    program.Add.dispatch(1)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert (
        "error    queue 'default' has 1 job to run and no worker\n         Start one: flask queue work.\n"
        in result.stdout
    )
    assert "warning  queue 'emails' has no worker" in result.stdout


def test_queues_with_workers_are_well(serving: Worker, invoke: Invoke) -> None:
    """Also while they are paused, which is told."""
    program.queue.pause("emails")
    shown = invoke("doctor").stdout
    assert "ok       queue 'default' has workers\n" in shown
    assert "ok       queue 'emails' has workers (paused)\n" in shown


def test_queues_that_the_app_lacks_are_told_and_left(app: Flask, invoke: Invoke) -> None:
    """Another app may have them."""
    broker = broker_of(app)
    broker.declare_queue("old")
    program.Add.options(queue_name="old").dispatch(1)
    del broker.queues["old"]
    shown = invoke("doctor", "--fix").stdout
    assert "warning  queue 'old' has 1 job but is not configured in this app\n" in shown
    assert broker.store.client.hlen(broker.store.transitions.keys("old")["state"]) == 1


def damage(app: Flask) -> str:
    """Leave the log of a job that is gone, and a job that is in no list; returns the latter's local id."""
    store = broker_of(app).store
    keys = store.transitions.keys("default")
    store.client.rpush(keys["logs:gone\x1b"], "line")
    job = program.Add.dispatch(1).id.partition(":")[2]
    store.client.delete(keys["waiting"])
    return job


def test_indexes_are_told_and_repaired(app: Flask, invoke: Invoke) -> None:
    """What is in the wrong one, and what is in none."""
    store, job = broker_of(app).store, program.Add.dispatch(1)
    program.queue.cancel(job.id)
    keys = store.transitions.keys("default")
    store.client.rename(keys["by:name:Add"], keys["by:tag:\x1b"])
    local_id = job.id.partition(":")[2]
    shown = invoke("doctor").stdout
    assert f"warning  queue 'default': 1 name ({local_id}) in indexes where they do not belong\n" in shown
    assert f"warning  queue 'default': 1 job ({local_id}) that cannot be found by error, name or tag\n" in shown
    assert invoke("doctor", "--fix").stdout.count(": repaired\n") == 2
    check_queue(store.client, keys)


def test_orphans_are_told_and_repaired(app: Flask, invoke: Invoke) -> None:
    """Without a terminal nothing is asked; what was repaired is in the audit trail, and no error any more."""
    job = damage(app)
    keys = broker_of(app).store.transitions.keys("default")
    shown = invoke("doctor").stdout
    assert r"warning  queue 'default': leftovers of 1 job (gone\x1b) that no longer exist" in shown
    assert f"error    queue 'default': 1 job ({job}) in no list, so that nobody runs or sees them" in shown
    assert "         Repair it: flask queue doctor --fix.\n" in shown
    shown = invoke("doctor", "--fix").stdout
    assert shown.count(": repaired\n") == 2
    assert check_queue(broker_of(app).store.client, keys)["ready"] == 1
    assert [entry.action for entry in program.queue.audit().entries] == ["repair", "repair"]
    assert "ok       no orphan keys, and every job is where it should be\n" in invoke("doctor", "--fix").stdout


@pytest.mark.parametrize(
    ("words", "answer", "is_repaired"),
    [(["--fix"], "n\n", False), (["--fix"], "y\n", True), (["--fix", "--yes"], "", True), ([], "", False)],
    ids=str,
)
def test_a_repair_asks_on_a_terminal(
    app: Flask, flask: CommandLine, words: list[str], answer: str, is_repaired: bool
) -> None:
    """What is wrong is in the question, which does not come in between of what programs read."""
    damage(app)
    done = flask.on_terminal(answer, "queue", "doctor", "--json", *words)
    assert ("in no list, so that nobody runs or sees them. Repair? [y/N]" in done.stderr) == bool(answer)
    assert ("repaired" in done.stdout) == is_repaired
    if answer != "n\n":
        json.loads(done.stdout)
    assert done.returncode == 1, "a job waits and there is no worker"


def test_what_cannot_be_read_does_not_end_it(app: Flask, invoke: Invoke) -> None:
    """One line about it, and all other findings."""
    store, job = broker_of(app).store, "default:x"
    store.client.zadd(store.roster.keys["workers"], {job: 9e15})
    store.client.hset(store.roster.keys["info"], job, "no number")
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "could not be checked, as something that is stored cannot be read: ValueError" in result.stdout
    assert "no orphan keys" in result.stdout


def test_keys_of_a_wrong_type_are_told(app: Flask, invoke: Invoke) -> None:
    """Somebody else wrote there: one line, and all other findings."""
    store = broker_of(app).store
    store.client.set(store.transitions.keys("default")["unique"], "text")
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "could not be checked: WRONGTYPE" in result.stdout
    assert "scripts run" in result.stdout
