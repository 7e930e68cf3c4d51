"""What a release leaves in Redis: jobs in every state, written down so that later releases can be held to read them.

`python -m tests.versions.stored URL` prints it, from an empty server, for a new file beside this one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from flask import Flask
from redis import Redis

from flask_queue import Fail, FlaskQueue, Job, JobRecord, Queue
from flask_queue.current import broker_of
from flask_queue.store.transitions import CycleReply, CycleRequest, Retention
from flask_queue.testing import run_once

#: Seconds until what is stored may be forgotten: later than anybody runs this.
NEVER_S = 90 * 365 * 86_400
SETTINGS = {f"QUEUE_KEEP_{state}_S": NEVER_S for state in ("COMPLETED", "FAILED")}

#: A Redis client whose replies are bytes.
Client = Any


class Send(Job):
    """Ends as its payload says."""

    queue_name = "mail"
    max_retries = 0

    @staticmethod
    def tags(user_id: int, how: str = "well") -> list[str]:
        """By which it is found."""
        return [f"user:{user_id}"]

    def handle(self, user_id: int, how: str = "well") -> dict[str, int]:
        """Complete with a result, or fail."""
        self.log(f"sends to {user_id}")
        if how == "fail":
            raise Fail("no such user")
        return {"sent": user_id}


def make_app(url: str) -> tuple[Flask, FlaskQueue]:
    """An app that keeps what is stored, however long ago that was."""
    app = Flask("stored")
    app.config.update(SETTINGS, QUEUE_REDIS_URL=url, QUEUE_DASHBOARD=False, QUEUE_LEASE_S=1)
    return app, FlaskQueue(app, queues=[Queue("mail"), Queue("other", max_running=3)], jobs=[Send])


def fill(queue: FlaskQueue) -> None:
    """Leave jobs in all states; one of them was held by a worker that is gone."""
    named: dict[str, JobRecord] = {}
    for name, how in (("completed", "well"), ("failed", "fail")):
        named[name] = Send.options(job_id=name).dispatch(user_id=1, how=how)
        run_once(["mail"])
    hold(queue, Send.options(job_id="lost").dispatch(user_id=2))
    Send.options(job_id="waiting").dispatch(user_id=3)
    Send.options(job_id="first", priority=10).dispatch(user_id=4)
    Send.options(job_id="unique", unique_for_s=NEVER_S, unique_key="k").dispatch(user_id=5)
    Send.options(job_id="delayed", delay_s=NEVER_S).dispatch(user_id=6)
    queue.cancel(Send.options(job_id="cancelled").dispatch(user_id=7).id)
    queue.pause("other", "moving")


def hold(queue: FlaskQueue, record: JobRecord) -> None:
    """Let a worker claim it that never settles, and that was not heard of since."""
    store = queue.broker.store
    keep = Retention(10, NEVER_S * 1000, 10, NEVER_S * 1000)
    [reply] = store.transitions.cycle(store.client, "gone", keep, [CycleRequest(record.queue, want=1, idle=1)])
    assert isinstance(reply, CycleReply)
    assert len(reply.claimed) == 1


def dump(client: Client) -> dict[str, list[Any]]:
    """Every key with its type, its value, and its milliseconds to live, as text; portable between servers."""
    found = {}
    for key in sorted(client.keys("*")):
        kind = client.type(key).decode()
        found[key.decode()] = [kind, _plain(READ[kind](client, key)), client.pttl(key)]
    return found


def restore(client: Client, stored: dict[str, list[Any]]) -> None:
    """Put it back into an empty server. What was to expire does so in a while."""
    for key, (kind, value, ttl_ms) in stored.items():
        WRITE[kind](client, key, _bytes(value))
        if ttl_ms > 0:
            client.pexpire(key, 3_600_000)


READ: dict[str, Any] = {
    "string": lambda client, key: client.get(key),
    "hash": lambda client, key: sorted(client.hgetall(key).items()),
    "list": lambda client, key: client.lrange(key, 0, -1),
    "set": lambda client, key: sorted(client.smembers(key)),
    "zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
    "stream": lambda client, key: [[name, sorted(entry.items())] for name, entry in client.xrange(key)],
}
WRITE: dict[str, Any] = {
    "string": lambda client, key, value: client.set(key, value),
    "hash": lambda client, key, value: client.hset(key, mapping=dict(value)),
    "list": lambda client, key, value: client.rpush(key, *value),
    "set": lambda client, key, value: client.sadd(key, *value),
    "zset": lambda client, key, value: client.zadd(key, dict(value)),
    "stream": lambda client, key, value: [client.xadd(key, dict(entry), id=name) for name, entry in value],
}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("latin-1")
    return tuple(_bytes(part) for part in value) if isinstance(value, list) else value


def main() -> None:
    """Print what this version stores."""
    (url,) = sys.argv[1:]
    app, queue = make_app(url)
    with app.app_context(), Redis.from_url(url) as client:
        fill(queue)
        print(json.dumps(dump(client), indent=1))
    broker_of(app).close()


if __name__ == "__main__":
    main()
