"""What must hold in Redis after every step, whatever happened before it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from flask_queue.store.keys import QueueKeys
from flask_queue.store.scripts import Call, load, run
from flask_queue.store.state import StateRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A Redis client whose replies are bytes; the client library's annotations say "bytes or text" of each.
Client: TypeAlias = Any
#: What a state's record calls it, and the place where such a job is listed; in the order of counts.lua.
PLACES = {
    "w": "ready",
    "d": "delayed",
    "a": "active",
    "c": "completed",
    "f": "failed",
    "x": "cancelled",
}
#: Everything that may be under a queue's tag, besides `logs:<id>`, `id:<id>`, `active:<worker>` and `by:<index>`.
KEYS = {"jobs", "state", "attempts", "progress", "wake", "meta", "workers", "waiting", "prioritized"} | {
    *("delayed", "completed", "failed", "cancelled", "cancelling", "claims", "unique", "unique_of"),
    *("minute", "minutes", "hours", "errors", "tags"),
}
#: What workers share, under the tag of no queue.
GLOBAL_KEYS = {"workers", "info", "requests"}
#: How long an id that its caller chose is remembered without its record.
MEMORY_MS = 3_600_000


@dataclass(frozen=True)
class Snapshot:
    """All that Redis holds of one queue."""

    states: Mapping[bytes, StateRecord]
    jobs: frozenset[bytes]
    attempts: Mapping[bytes, bytes]
    progress: frozenset[bytes]
    #: Place → the ids listed there, in its order; for zsets with their scores.
    scores: Mapping[str, list[tuple[bytes, float]]]
    waiting: list[bytes]
    wake: list[bytes]
    #: Worker → the ids it holds.
    held: Mapping[bytes, set[bytes]]
    #: Unique key → the id that has it.
    locks: Mapping[bytes, bytes]
    #: Id → the unique key that it has, or had.
    unique_of: Mapping[bytes, bytes]
    tombstones: int
    #: Active jobs that were asked to stop.
    cancelling: set[bytes]
    logs: frozenset[bytes]
    #: Index, as `name:SendInvoice` → the ids that it lists, with their scores.
    indexes: Mapping[str, dict[bytes, float]]
    #: Fingerprint → JSON of the group of errors.
    errors: Mapping[bytes, bytes]
    #: Id → its tags, one a line.
    tags: Mapping[bytes, bytes]
    #: Remembered id → milliseconds left.
    remembered: Mapping[bytes, int]
    counts: list[int]

    @property
    def listed(self) -> dict[str, Counter[bytes]]:
        """Place → how often each id is listed there."""
        zsets = {name: [job for job, _ in pairs] for name, pairs in self.scores.items()}
        return {
            "ready": Counter([*self.waiting, *zsets["prioritized"]]),
            "delayed": Counter(zsets["delayed"]),
            "active": Counter(job for jobs in self.held.values() for job in jobs),
            "completed": Counter(zsets["completed"]),
            "failed": Counter(zsets["failed"]),
            "cancelled": Counter(zsets["cancelled"]),
        }


def check_queue(client: Client, keys: QueueKeys) -> Counter[str]:
    """Fail unless every job is in exactly one state, listed once, with its payload; return how many are in each.

    Also: the counts that readers see are those of the members, records and indexes agree about times and owners, and
    nothing belongs to a job that is gone.
    """
    return check_snapshot(snapshot(client, keys))


def check_snapshot(found: Snapshot) -> Counter[str]:
    """The same for what was read already."""
    counts = _check_places(found)
    _check_records(found)
    _check_order(found)
    _check_histories(found)
    _check_orphans(found)
    _check_locks(found)
    _check_indexes(found)
    assert len(found.wake) <= 1, f"more than one wake marker: {found.wake}"
    assert found.counts == [counts[place] for place in PLACES.values()], f"counts {found.counts} differ from {counts}"
    return counts


def check_all(client: Client, prefix: str) -> None:
    """Check every queue that has anything in Redis."""
    for tag in {key.partition(b"}")[0] for key in client.keys(f"{{{prefix}:*")}:
        if queue := tag.decode().partition(":")[2]:
            check_queue(client, QueueKeys(prefix, queue))


def snapshot(client: Client, keys: QueueKeys) -> Snapshot:
    """Read a whole queue. Redis: three round trips."""
    names = {key.decode().removeprefix(f"{keys.tag}:") for key in client.keys(f"{keys.tag}:*")}
    kinds = {kind: sorted(n.split(":", 1)[1] for n in names if n.startswith(f"{kind}:")) for kind in ("active", "id")}
    logs = {name.split(":", 1)[1].encode() for name in names if name.startswith("logs:")}
    indexes = sorted(name for name in names if name.startswith("by:"))
    unknown = {name for name in names - KEYS if not name.startswith(("logs:", "id:", "active:", "poke:", "by:"))}
    assert not unknown, f"nobody knows these keys: {unknown}"
    with client.pipeline(transaction=False) as pipeline:  # a full Redis 7 refuses even reads in a transaction
        pipeline.hgetall(keys["state"])
        pipeline.hkeys(keys["jobs"])
        pipeline.hgetall(keys["attempts"])
        pipeline.hkeys(keys["progress"])
        pipeline.lrange(keys["waiting"], 0, -1)
        pipeline.zrange(keys["wake"], 0, -1)
        pipeline.hgetall(keys["unique"])
        pipeline.hgetall(keys["unique_of"])
        pipeline.hget(keys["meta"], "tombstones")
        pipeline.smembers(keys["cancelling"])
        pipeline.hgetall(keys["errors"])
        pipeline.hgetall(keys["tags"])
        zsets = ("prioritized", "delayed", "completed", "failed", "cancelled", "workers")
        for name in (*zsets, *indexes):
            pipeline.zrange(keys[name], 0, -1, withscores=True)
        for worker in kinds["active"]:
            pipeline.smembers(keys[f"active:{worker}"])
        for job in kinds["id"]:
            pipeline.pttl(keys[f"id:{job}"])
        states, jobs, attempts, progress, waiting, wake, locks, unique_of, tombstones, *rest = pipeline.execute()
    cancelling, errors, tags, *rest = rest
    replies = iter(rest)
    scores = {name: [(job, float(score)) for job, score in next(replies)] for name in zsets}
    listed = {name: {job: float(score) for job, score in next(replies)} for name in indexes}
    held = {worker.encode(): set(next(replies)) for worker in kinds["active"]}
    left = list(replies)
    counts = run(client, Call(load("counts"), keys, [keys.tag]))
    return Snapshot(
        states={job: StateRecord.parse(text) for job, text in states.items()},
        jobs=frozenset(jobs),
        attempts=attempts,
        progress=frozenset(progress),
        scores=scores,
        waiting=waiting,
        wake=wake,
        held=held,
        locks={key: text.split()[0] for key, text in locks.items()},
        unique_of={job: text.split(b" ", 1)[1] for job, text in unique_of.items()},
        tombstones=int(tombstones or 0),
        cancelling=set(cancelling),
        logs=frozenset(logs),
        indexes={name.removeprefix("by:"): ids for name, ids in listed.items()},
        errors=errors,
        tags=tags,
        remembered=dict(zip((job.encode() for job in kinds["id"]), left, strict=True)),
        counts=counts,
    )


def _check_places(found: Snapshot) -> Counter[str]:
    """Each job is listed once, where its record says; what is more in the waiting list are counted tombstones."""
    listed, tombstones = found.listed, 0
    for job, times in Counter(found.waiting).items():
        alive = job in found.states and (found.states[job].state, found.states[job].priority) == ("w", 0)
        tombstones += times - alive
        listed["ready"][job] -= times - alive
    assert tombstones == found.tombstones, f"{tombstones} tombstones, {found.tombstones} counted"
    for job, record in found.states.items():
        places = [place for place, jobs in listed.items() for _ in range(jobs[job])]
        assert places == [PLACES[record.state]], f"{job!r} is {record} and listed in {places}"
    for place, jobs in listed.items():
        stray = {job for job, times in jobs.items() if times} - set(found.states)
        assert not stray, f"{place} lists jobs without a state: {stray}"
    return Counter({place: sum(jobs.values()) for place, jobs in listed.items()})


def _check_records(found: Snapshot) -> None:
    """A record's owner holds the job, and its times are those of the index it is in."""
    for job, record in found.states.items():
        if record.state == "a":
            assert job in found.held[record.worker.encode()], f"{job!r} is not held by {record.worker}"
        assert (record.finished_ms > 0) == (record.state in "cfx"), f"{job!r} is {record}"
        assert record.attempts <= record.number, f"{job!r} has more attempts than runs: {record}"
    for job, due in found.scores["delayed"]:
        assert found.states[job].due_ms == due, f"{job!r} is due at {due}, its record says {found.states[job]}"
    for place in ("completed", "failed", "cancelled"):
        for job, finished in found.scores[place]:
            assert found.states[job].finished_ms == finished, f"{job!r} is {found.states[job]}, {place} at {finished}"
    idle = {job for job in found.cancelling if job not in found.states or found.states[job].state != "a"}
    assert not idle, f"asked to stop, and not active: {idle}"
    homeless = set(found.held) - {worker for worker, _ in found.scores["workers"]}
    assert not homeless, f"nobody will take back what these workers hold: {homeless}"


def _check_order(found: Snapshot) -> None:
    """What has a priority is in its own level."""
    for job, score in found.scores["prioritized"]:
        level = round(score / 2**44)
        assert -level == found.states[job].priority != 0, f"{job!r} has score {score}, but is {found.states[job]}"


def _check_histories(found: Snapshot) -> None:
    """History numbers rise, and never beyond that of the job's newest run."""
    for job, text in found.attempts.items():
        numbers = [json.loads(line)["number"] for line in text.split(b"\n")]
        newest = found.states[job].number if job in found.states else 0
        assert numbers == sorted(set(numbers)), f"{job!r} has runs {numbers}"
        assert numbers[-1] <= newest, f"{job!r} has runs {numbers}, and run {newest} is its newest"


def _check_locks(found: Snapshot) -> None:
    """Each lock is that of an unsettled job, which knows it; a job that has one, or had one, says so."""
    for key, job in found.locks.items():
        record = found.states.get(job)
        assert record, f"the lock {key!r} was left behind by {job!r}, which is gone"
        assert record.state in "wda", f"the lock {key!r} was left behind by {job!r}, which is {record}"
        assert found.unique_of.get(job) == key, f"{job!r} has the lock {key!r} without knowing"
    unique = {job for job, record in found.states.items() if "u" in record.flags}
    assert set(found.unique_of) == unique, f"keys are kept of {set(found.unique_of)}, not of {unique}"


def _check_indexes(found: Snapshot) -> None:
    """Indexes and records agree, both ways, and each group of errors is that of its index."""
    expected: dict[str, dict[bytes, float]] = {}
    for job, record in found.states.items():
        if record.state in "fx":
            fingerprint, name = record.result.split(" ", 1)
            assert (fingerprint == "-") == (record.state == "x"), f"{job!r} is {record}"
            assert name or job not in found.jobs, f"{job!r} has a payload, and is {record}"
            names = [f"error:{fingerprint}"] * (fingerprint != "-") + [f"name:{name}"] * (name != "")
            for index in names:
                expected.setdefault(index, {})[job] = record.finished_ms
        elif record.state != "c":
            assert not record.result, f"{job!r} is {record}"
        for each in found.tags[job].decode().split("\n") if "g" in record.flags else ():
            expected.setdefault(f"tag:{each}", {})[job] = record.created_ms
    assert found.indexes == expected, f"indexes {found.indexes} are not those of the records: {expected}"
    tagged = {job for job, record in found.states.items() if "g" in record.flags}
    assert set(found.tags) == tagged, f"tags of {set(found.tags)} are kept, not of {tagged}"
    groups = {name.removeprefix("error:").encode() for name in found.indexes if name.startswith("error:")}
    assert set(found.errors) == groups, f"groups {found.errors} are not those of {groups}"


def _check_orphans(found: Snapshot) -> None:
    """Payloads belong to jobs and jobs have payloads, logs, attempts and progress too; memories are of jobs gone."""
    known = set(found.states)
    lost = {job for job in known - found.jobs if found.states[job].state == "f"}
    assert found.jobs == known - lost, "payloads and states differ"
    assert set(found.attempts) <= known, f"attempts of jobs that are gone: {set(found.attempts) - known}"
    assert found.progress <= known, f"progress of jobs that are gone: {found.progress - known}"
    logging = {job for job, record in found.states.items() if "l" in record.flags}
    assert found.logs == logging, f"logs {found.logs} are not those of {logging}"
    assert not set(found.remembered) & known, "an id is remembered beside its record"
    assert all(0 < left <= MEMORY_MS for left in found.remembered.values()), f"memories: {found.remembered}"
