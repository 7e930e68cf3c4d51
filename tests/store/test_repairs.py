"""Repairs: damage that no transition does is found, and put right, beside workers that go on."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue.outcome import Completed, Failed
from flask_queue.store.failures import failures
from flask_queue.store.repairs import Repairs
from tests.store.checks import check_queue, snapshot
from tests.store.driver import ERROR, PREFIX, Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import RedisServer

LOCK = "60000 key"


def all_of(queue: Driver, *, fix: bool = False) -> dict[str, Any]:
    """Everything that a repair finds in the queue, without what is whole."""
    repairs = Repairs(queue.client, PREFIX, fix=fix)
    names = repairs.names().get(queue.queue, {})
    logs, workers = names.get("logs", []), names.get("active", [])
    found = {
        "leftovers": sorted(repairs.leftovers(queue.queue, logs)),
        "locks": repairs.locks(queue.queue),
        "strays": sorted(repairs.strays(queue.queue, workers)),
        "strangers": sorted(repairs.strangers(queue.queue, names.get("by", []))),
        "unindexed": sorted(repairs.unindexed(queue.queue)),
        "lost": tuple(map(sorted, repairs.lost(queue.queue))),
        "leaseless": repairs.leaseless(queue.queue, workers),
        "miscounted": repairs.miscounted(queue.queue),
        "gone": repairs.gone(),
    }
    return {kind: what for kind, what in found.items() if what not in ([], 0, ([], []))}


def one_of_each(queue: Driver) -> None:
    """A job in each state and place, with everything that a job can have."""
    queue.finish("c1")
    queue.finish("f1", outcome=Failed(ERROR))
    queue.add("a1", lock=LOCK)
    assert queue.claim() == ["a1"]
    queue.log("a1", "line")
    queue.progress("a1", 1, 2)
    queue.cancel("a1")
    queue.add("x1", "t1")
    queue.cancel("x1")
    queue.add("w1", nonce="n", tags=["vip", "a:{7}"])
    queue.add("p1", priority=5, tags=["vip"])
    queue.add("d1", due="+60000")


def test_a_whole_queue_has_nothing_to_repair(queue: Driver) -> None:
    """Neither has an empty one."""
    assert all_of(queue) == {}
    one_of_each(queue)
    before = queue.client.hgetall(queue.keys["state"])
    assert all_of(queue) == all_of(queue, fix=True) == {}
    assert queue.client.hgetall(queue.keys["state"]) == before


def test_leftovers_of_jobs_that_are_gone_are_deleted(queue: Driver) -> None:
    """Payload, runs, progress, log lines, a request to stop, a lock; those of jobs that are there stay."""
    one_of_each(queue)
    queue.client.hset(queue.keys["jobs"], "gone1", b"payload")
    queue.client.hset(queue.keys["attempts"], "gone2", b"{}")
    queue.client.hset(queue.keys["progress"], "gone3", b"1 2")
    queue.client.hset(queue.keys["unique_of"], "gone4", LOCK)
    queue.client.hset(queue.keys["tags"], "gone8", "vip")
    queue.client.sadd(queue.keys["cancelling"], "gone5", "c1")
    queue.client.rpush(queue.keys["logs:gone6"], "line")
    queue.client.hset(queue.keys["unique"], mapping={"other": "gone7 9999999999999", "done": "c1 9999999999999"})
    found = all_of(queue)
    assert found["leftovers"] == ["c1", *(f"gone{n}" for n in range(1, 7)), "gone8"]
    assert sorted(found["locks"]) == ["done", "other"]
    assert set(found) == {"leftovers", "locks"}
    assert all_of(queue) == found, "looking changes nothing"
    assert all_of(queue, fix=True) == found
    assert all_of(queue) == {}
    check_queue(queue.client, queue.keys)
    assert queue.client.lrange(queue.keys["logs:a1"], 0, -1) == [b"line"]


def test_entries_of_lists_go_where_the_record_says(queue: Driver) -> None:
    """Those of jobs that are gone, or elsewhere, are removed."""
    one_of_each(queue)
    for place in ("prioritized", "delayed", "completed", "failed", "cancelled"):
        queue.client.zadd(queue.keys[place], {f"gone-{place}": 1, "w1": 1})
    queue.client.sadd(queue.keys["active:w1"], "gone-active", "w1")
    found = all_of(queue)
    gone = [f"gone-{place}" for place in ("active", "cancelled", "completed", "delayed", "failed", "prioritized")]
    assert sorted(set(found["strays"])) == [*gone, "w1"]
    assert all_of(queue, fix=True) == found
    assert all_of(queue) == {}


@pytest.mark.parametrize("job", ["w1", "t1", "p1", "d1", "c1", "f1", "x1"])
def test_a_job_in_no_list_goes_back(queue: Driver, job: str) -> None:
    """Into the list of its state, at its time."""
    one_of_each(queue)
    counts = check_queue(queue.client, queue.keys)
    place = {"p": "prioritized", "d": "delayed", "c": "completed", "f": "failed", "x": "cancelled"}.get(job[0])
    if place is None:
        queue.client.lrem(queue.keys["waiting"], 0, job)
    else:
        queue.client.zrem(queue.keys[place], job)
    assert all_of(queue) == {"lost": ([job], [])}
    assert all_of(queue, fix=True) == {"lost": ([job], [])}
    assert all_of(queue) == {}
    assert check_queue(queue.client, queue.keys) == counts


def test_a_list_that_was_lost_is_made_anew(queue: Driver) -> None:
    """In the order of dispatch, by however many look for it."""
    jobs = [f"j{n}" for n in range(700)]
    for job in jobs:
        queue.add(job)
    queue.client.delete(queue.keys["waiting"])
    one, other = Repairs(queue.client, PREFIX, fix=True), Repairs(queue.client, PREFIX, fix=True)
    before = queue.client.hgetall(queue.keys["state"])
    assert sorted(one.lost(queue.queue)[0]) == sorted(jobs)
    ids = ((job.decode(), text) for job, text in before.items())
    assert other._relist(queue.keys, ids) == [], "what the first has put back is not put back twice"
    created = [queue.state(job.decode()).created_ms for job in queue.client.lrange(queue.keys["waiting"], 0, -1)]
    assert len(created) == 700
    assert created == sorted(created)


def test_an_active_job_in_no_list_is_its_workers_again(queue: Driver) -> None:
    """A living worker looks what it holds; the jobs of one that is gone are taken back, its lease being over."""
    queue.add("a", "b")
    queue.claim(1, "lives")
    queue.claim(1, "gone")
    queue.client.delete(queue.keys["active:lives"], queue.keys["active:gone"])
    queue.client.zrem(queue.keys["workers"], "gone")
    assert all_of(queue, fix=True) == {"lost": (["a", "b"], [])}
    assert [job.local_id for job in queue.transitions.held(queue.client, queue.queue, "lives", [])] == ["a"]
    assert queue.reap().recovered == 1
    assert queue.state("b").state == "w"


def test_a_worker_without_a_lease_gets_one_that_is_over(queue: Driver) -> None:
    """So that its jobs are taken back, as those of every worker that died."""
    queue.add("a")
    queue.claim(1, "gone")
    queue.client.delete(queue.keys["workers"])
    assert all_of(queue, fix=True) == {"leaseless": ["gone"]}
    assert queue.reap().recovered == 1
    assert queue.claim(1, "lives") == ["a"]


def test_the_number_of_tombstones_is_put_right(queue: Driver) -> None:
    """It is what readers take off the length of the list."""
    queue.add("a", "b", "c")
    queue.cancel("b")
    queue.client.rpush(queue.keys["waiting"], "gone", "a")
    assert all_of(queue, fix=True) == {"miscounted": 2}
    assert check_queue(queue.client, queue.keys)["ready"] == 2
    queue.client.hset(queue.keys["meta"], "tombstones", 7)
    assert all_of(queue, fix=True) == {"miscounted": -4}


def test_a_record_that_nobody_can_read_is_told_and_left(queue: Driver) -> None:
    """It may be anything; whatever else is there is looked at all the same."""
    queue.add("a")
    queue.client.hset(queue.keys["state"], mapping={"bad": b"nonsense", "worse": b"\xff"})
    queue.client.zadd(queue.keys["failed"], {"bad": 1})
    assert all_of(queue, fix=True) == {"lost": ([], ["bad", "worse"])}
    assert queue.client.zscore(queue.keys["failed"], "bad") == 1
    queue.client.hdel(queue.keys["state"], "bad", "worse")
    queue.client.zrem(queue.keys["failed"], "bad")


def test_entries_of_indexes_go_where_the_record_says(queue: Driver) -> None:
    """Those of jobs that are gone, have other tags, failed otherwise, or not at all; and groups without jobs."""
    one_of_each(queue)
    group = queue.state("f1").result.split()[0]
    for index in (f"error:{group}", "name:SendWelcomeEmail", "name:Other", "tag:vip", "tag:vi", "tag:new"):
        queue.client.zadd(queue.keys[f"by:{index}"], {"gone": 1, "c1": 1, "a1": 1})
    queue.client.zadd(queue.keys["by:name:Other"], {"f1": queue.state("f1").finished_ms})
    queue.client.zadd(queue.keys["by:tag:vi"], {"w1": queue.state("w1").created_ms})
    queue.client.hset(queue.keys["errors"], "0" * 12, '{"type":"Nothing","place":""}')
    found = all_of(queue)
    assert found == {"strangers": ["0" * 12, "a1", "c1", "f1", "gone", "w1"]}
    assert all_of(queue, fix=True) == found
    assert all_of(queue) == {}
    check_queue(queue.client, queue.keys)


def test_a_job_that_an_index_lacks_is_listed_again(queue: Driver) -> None:
    """At its time, from its record; a group of errors gets its text from the last run."""
    one_of_each(queue)
    before = snapshot(queue.client, queue.keys)
    queue.client.delete(*queue.client.keys(queue.keys.tag + ":by:*"), queue.keys["errors"])
    found = all_of(queue)
    assert found == {"unindexed": ["f1", "p1", "w1", "x1"]}
    assert all_of(queue, fix=True) == found
    assert all_of(queue) == {}
    after = snapshot(queue.client, queue.keys)
    assert after.indexes == before.indexes
    assert [json.loads(text) for text in after.errors.values()] == [{"type": ERROR.type, "place": ERROR.place}]


def test_an_entry_with_a_wrong_time_is_put_right(queue: Driver) -> None:
    """It would be shown in a wrong hour."""
    one_of_each(queue)
    for index in snapshot(queue.client, queue.keys).indexes:
        queue.client.zadd(queue.keys[f"by:{index}"], {"f1": 5, "w1": 5}, xx=True)
    assert all_of(queue, fix=True) == {"unindexed": ["f1", "w1"]}
    assert all_of(queue) == {}


def test_a_group_whose_error_is_lost_has_no_text(queue: Driver) -> None:
    """But it can be seen, and its jobs be retried."""
    queue.finish("f1", outcome=Failed(ERROR))
    queue.client.delete(queue.keys["errors"], queue.keys["attempts"])
    assert all_of(queue, fix=True) == {"unindexed": ["f1"]}
    [group] = failures(queue.client, {"q": queue.keys})
    assert (group.type, group.place, group.message, group.count) == ("", "", "", 1)


def test_workers_long_gone_are_forgotten(queue: Driver) -> None:
    """Those of which a trace is left; others stay, also if they are silent for now."""
    keys = Repairs(queue.client, PREFIX)._keys("")
    now_ms = queue.now_ms()
    queue.client.zadd(keys["workers"], {"alive": now_ms - 60_000, "gone1": now_ms - 3_700_000})
    queue.client.hset(keys["info"], mapping={"alive": "{}", "gone1": "{}", "gone2": "{}"})
    queue.client.hset(keys["requests"], "gone3", "stop")
    found = all_of(queue, fix=True)
    assert sorted(found["gone"]) == ["gone1", "gone2", "gone3"]
    assert queue.client.hkeys(keys["info"]) == [b"alive"]
    queue.client.delete(keys["workers"], keys["info"])


def test_names_of_other_prefixes_are_not_ours(queue: Driver) -> None:
    """A prefix is no pattern, and no beginning of another."""
    queue.add("a")
    for tag in ("{test:q:deep}", "{test2:q}", "{texst:q}", "{test:}", "test:q"):
        queue.client.hset(f"{tag}:state", "a", "x")
    assert set(Repairs(queue.client, PREFIX).names()) == {"q"}
    assert set(Repairs(queue.client, "te*t").names()) == set()
    for tag in ("{test:q:deep}", "{test2:q}", "{texst:q}", "{test:}", "test:q"):
        queue.client.delete(f"{tag}:state")


def test_large_payloads_make_small_steps(queue: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """No reply grows with the payloads, and nothing is skipped."""
    monkeypatch.setattr("flask_queue.store.scans.STEP_BYTES", 10_000)
    for n in range(300):
        queue.client.hset(queue.keys["jobs"], f"gone{n}", b"x" * (n * 20))
    assert len(all_of(queue, fix=True)["leftovers"]) == 300
    assert queue.client.exists(queue.keys["jobs"]) == 0


def test_repairs_leave_a_busy_queue_alone(queue: Driver, redis_server: RedisServer) -> None:
    """Jobs move through all states while it looks and fixes, round after round: nothing is taken for damage."""
    is_over = threading.Event()
    failures: list[BaseException] = []

    def drive(name: str) -> None:
        with redis_server.client() as client:
            mine, number = Driver(client), 0
            while not is_over.is_set():
                number += 1
                jobs = [f"{name}.{number}.{n}" for n in range(6)]
                mine.add(*jobs[:3], priority=number % 2)
                mine.add(jobs[3], due="+60000", tags=["vip", name])
                mine.add(*jobs[4:], lock=f"60000 {name}{number}")
                claimed = mine.cycle(name, want=4).claimed
                mine.cancel(*jobs)
                mine.promote(*jobs)
                ends = [mine.ended(job.local_id, Completed() if number % 2 else Failed(ERROR)) for job in claimed]
                mine.cycle(name, settle=ends)
                mine.delete(*jobs[:3])
                mine.retry(*jobs)

    def guarded(run: Callable[[str], None], name: str) -> None:
        try:
            run(name)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(drive, name)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    try:
        rounds = [all_of(queue, fix=True) for _ in range(25)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join(20)
    assert failures == []
    assert [found for found in rounds if found] == []
