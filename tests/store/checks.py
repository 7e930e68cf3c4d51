"""What must hold in Redis after every step, whatever happened before it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flask_queue.store.keys import QueueKeys
from flask_queue.store.scripts import Call, load, run
from flask_queue.store.state import StateRecord

if TYPE_CHECKING:
    from redis import Redis

#: What a state's record calls it, and the places where such a job may be listed.
PLACES = {
    "w": "ready",
    "d": "delayed",
    "a": "active",
    "c": "completed",
    "f": "failed",
    "x": "cancelled",
}


def check_queue(client: Redis, keys: QueueKeys) -> Counter[str]:
    """Fail unless every job is in exactly one state, listed once, with its payload; return how many are in each.

    Also: the counts that readers see are those of the members, and nothing belongs to a job that is gone.
    """
    states = {job: StateRecord.parse(text) for job, text in client.hgetall(keys["state"]).items()}
    listed = _listed(client, keys)
    for job, record in states.items():
        places = [place for place, jobs in listed.items() for _ in range(jobs[job])]
        assert places == [PLACES[record.state]], f"{job!r} is {record} and listed in {places}"
        if record.state == "a":
            assert client.sismember(keys[f"active:{record.worker}"], job), f"{job!r} is not held by {record.worker}"
    for place, jobs in listed.items():
        assert not set(jobs) - set(states), f"{place} lists jobs without a state: {set(jobs) - set(states)}"
    lost = {job for job, record in states.items() if record.state == "f" and not client.hexists(keys["jobs"], job)}
    assert set(client.hkeys(keys["jobs"])) == set(states) - lost, "payloads and states differ"
    for index in ("attempts", "progress"):
        assert not set(client.hkeys(keys[index])) - set(states), f"{index} of jobs that are gone"
    for key in client.scan_iter(match=keys["logs:*"].replace("{", "[{]").replace("}", "[}]")):
        assert key.rsplit(b":", 1)[1] in states, f"{key!r} belongs to no job"
    counts = Counter({place: sum(jobs.values()) for place, jobs in listed.items()})
    reported = run(client, Call(load("counts"), keys, [keys.tag]))
    assert reported == [counts[place] for place in ("ready", "delayed", "active", "completed", "failed", "cancelled")]
    return counts


def _listed(client: Redis, keys: QueueKeys) -> dict[str, Counter[bytes]]:
    workers = client.zrange(keys["workers"], 0, -1)
    held = Counter(job for worker in workers for job in client.smembers(keys[f"active:{worker.decode()}"]))
    waiting = [*client.lrange(keys["waiting"], 0, -1), *client.zrange(keys["prioritized"], 0, -1)]
    return {
        "ready": Counter(waiting),
        "delayed": Counter(client.zrange(keys["delayed"], 0, -1)),
        "active": held,
        "completed": Counter(client.lrange(keys["completed"], 0, -1)),
        "failed": Counter(client.zrange(keys["failed"], 0, -1)),
        "cancelled": Counter(client.zrange(keys["cancelled"], 0, -1)),
    }
