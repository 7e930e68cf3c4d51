"""A user of Redis who may do what the documentation says, or less."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import NoPermissionError

from flask_queue import Job, Queue, QueueUnavailable, Retry
from flask_queue.cli import queue_cli
from flask_queue.store.connect import PERMISSIONS, make_client
from flask_queue.worker import heart
from flask_queue.worker.heartbeat import Heartbeat
from tests.servers import KINDS, RedisServer
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.worker.conftest import Bench, MakeBench

PAGE = Path(__file__).parents[2] / "docs" / "redis.md"


class Add(Job):
    unique_for_s = 60

    @staticmethod
    def tags(a: int) -> list[str]:
        """To be found by."""
        return [f"a:{a}"]

    def handle(self, a: int) -> int:
        self.log("adding")
        self.progress(1)
        if self.attempt == 1:
            raise Retry(delay_s=0.01)
        return a + 1


class Boom(Job):
    queue_name = "limited"
    max_retries = 0

    def handle(self) -> None:
        raise ValueError("boom")


def documented() -> str:
    """The line that the page gives."""
    (line,) = re.findall(r"^ACL SETUSER .*$", PAGE.read_text(), re.MULTILINE)
    return str(line)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with RedisServer(kind=request.param, tcp=True) as server:
        yield server


def grant(server: RedisServer, line: str) -> str:
    """Give a user these permissions alone; the user's address."""
    with server.client() as client:
        client.execute_command(*line.replace(">PASSWORD", ">hush", 1).split())
    return server.url.replace("redis://", "redis://flask-queue:hush@")


def refusals(server: RedisServer) -> list[bytes]:
    """What the server refused, but what clients do without."""
    with server.client() as client:
        entries = client.execute_command("ACL", "LOG", 100)
    # Redis 6 says no more than this of it.
    return [entry[b"object"] for entry in entries if entry[b"object"] not in (b"client|setinfo", b"client")]


def operate(bench: Bench) -> None:
    """Everything that an operator does."""
    queue = bench.queue
    later = datetime.now(UTC) + timedelta(hours=1)
    failed = queue.jobs(state="failed").records[0]
    queue.retry(failed.id)
    bench.finished(failed.id)
    (group,) = queue.failures()
    assert queue.retry_all(error=group.fingerprint) == 1
    assert queue.retry_all(tag="nobody") == 0
    bench.finished(failed.id)
    delayed = Add.options(delay_s=3600).dispatch(a=7)
    queue.reschedule(delayed.id, later)
    queue.promote(delayed.id)
    bench.finished(delayed.id)
    copy = queue.duplicate(delayed.id, a=8)
    bench.finished(copy.id)
    queue.cancel(Add.options(delay_s=3600).dispatch(a=9).id)
    queue.delete(copy.id)
    queue.pause("default", "for a test")
    assert queue.paused() == {"default": "for a test"}
    queue.resume("default")
    assert queue.clean("default", state="cancelled") == 1
    assert queue.logs(delayed.id)
    (worker,) = queue.workers()
    assert queue.oldest_wait_ms("default") is None
    assert queue.audit().entries
    for state in ("waiting", "delayed", "active", "completed", "failed", "cancelled"):
        queue.jobs(state=state)
    queue.quiet(worker.id)


def test_the_documented_line_is_enough(server: RedisServer, make_bench: MakeBench) -> None:
    """Dispatch, work, operator's actions and commands run, and the server has refused none of it."""
    queues = [Queue("default", concurrency=2), Queue("limited", max_running=1)]
    bench = make_bench(Add, Boom, queues=queues, url=grant(server, documented()), QUEUE_PREFIX="flask-queue")
    with bench.working():
        records = Add.dispatch_many([{"a": number} for number in range(3)])
        assert [bench.finished(record.id).result for record in records] == [1, 2, 3]
        assert records[0].tags == ("a:0",)
        assert bench.finished(Boom.dispatch().id).state == "failed"
        operate(bench)
    shown = bench.app.test_cli_runner().invoke(queue_cli, ["status"])
    assert shown.exit_code == 0, shown.output
    assert refusals(server) == []


def test_the_heart_beats_with_it(server: RedisServer, make_bench: MakeBench) -> None:
    """The process beside a worker uses the same address, and a command of its own."""
    bench = make_bench(Add, url=grant(server, documented()))
    heartbeat = Heartbeat(bench.broker)
    settings = heartbeat._settings("w1", ["default"])
    with make_client(settings["url"], timeout_s=5) as client:
        heart.Heart(settings, heartbeat.pulse, client)._beat()
    heartbeat.stop()
    assert refusals(server) == []


def test_the_documented_line_reaches_no_other_key(server: RedisServer) -> None:
    """Not even one whose name begins alike."""
    with make_client(grant(server, documented()), timeout_s=5) as client:
        client.get("flask-queue:audit")
        for key in ("flask-queue", "flask-queue:audit:2", "{flask-queue}:x", "sessions"):
            with pytest.raises(NoPermissionError):
                client.get(key)


def test_the_message_grants_what_the_page_does() -> None:
    """Whoever follows the error gets the same permissions."""
    assert documented().endswith(PERMISSIONS)


@pytest.mark.parametrize("missing", ["+evalsha", "+@hash", "+client|setname"])
def test_a_dispatch_that_is_not_permitted_says_what_to_grant(
    server: RedisServer, make_bench: MakeBench, missing: str
) -> None:
    """Whether the command itself, one of its script, or the set-up of the connection."""
    make_bench(Add, url=grant(server, documented().replace(missing, "")))
    with pytest.raises(QueueUnavailable) as info:
        Add.dispatch(a=1)
    assert PERMISSIONS in str(info.value)
    assert "ACL SETUSER" in str(info.value)
    assert "\n" not in str(info.value)


def test_a_worker_that_is_not_permitted_says_what_to_grant(
    server: RedisServer, make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, and goes on as soon as it may."""
    bench = make_bench(Add, url=grant(server, documented()))
    record = Add.dispatch(a=1)
    grant(server, documented().replace("+@sortedset ", ""))
    with caplog.at_level(logging.INFO, "flask_queue.worker"), bench.working():
        wait_until(lambda: PERMISSIONS in caplog.text)
        grant(server, documented())
        assert bench.finished(record.id).result == 2
    assert sum("Queue default: Redis refuses" in entry.message for entry in caplog.records) == 1
