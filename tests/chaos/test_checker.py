"""The checker of chaos sessions finds every fault that is planted, and no other."""

from __future__ import annotations

import re
import time

import pytest

from tests.chaos.conftest import Scene
from tests.chaos.journal import Action, Fault, Sent
from tests.chaos.program import MAX_RUNNING, RATE, Awaited, Limited, Planned, Rated, Single


def found(scene: Scene, *patterns: str) -> None:
    """Assert that the faults are these, one for each pattern."""
    faults = scene.faults()
    assert len(faults) == len(patterns), faults
    for fault, pattern in zip(faults, patterns, strict=True):
        assert re.search(pattern, fault), fault


def ran(scene: Scene) -> str:
    """A job that has completed."""
    job_id = scene.send(Planned.dispatch)
    scene.work()
    return job_id


def test_a_quiet_session_has_no_faults(scene: Scene) -> None:
    """Jobs of all kinds."""
    scene.send(lambda: Planned.dispatch(failures=2, releases=1))
    scene.send(lambda: Planned.dispatch(fails=True), "failed")
    scene.send(lambda: Awaited.options(priority=3, delay_s=0.1).dispatch(failures=1))
    scene.send(lambda: Limited.dispatch(failures=4), "failed")
    scene.send(Rated.dispatch)
    scene.send(lambda: Single.options(unique_key="k").dispatch(), key="k")
    scene.work()
    found(scene)


def test_a_lost_job(scene: Scene) -> None:
    """Gone without a trace, though nobody deleted it."""
    job_id = ran(scene)
    scene.broker.store.actions.delete("default", [job_id.partition(":")[2]])
    found(scene, f"{job_id} was acknowledged, and is lost")
    scene.notes.note(Action("delete", job_id, "unsure", 0, 0))
    found(scene)


def test_a_job_that_nobody_sent(scene: Scene) -> None:
    """A job of nobody's dispatch ran."""
    Planned.dispatch()
    scene.work()
    found(scene, "was never dispatched")


def test_a_job_in_two_states(scene: Scene) -> None:
    """Completed and failed at a time: the listing shows only its true state, the raw keys show both."""
    job_id = ran(scene)
    scene.client.zadd(scene.key("default", "failed"), {job_id.partition(":")[2]: 1})
    assert any("listed in ['completed', 'failed']" in fault for fault in scene.faults())


def test_a_job_that_is_stuck(scene: Scene) -> None:
    """Active with a worker that is gone."""
    job_id = scene.send(Planned.dispatch)
    scene.claim("default", "w0")
    found(scene, f"{job_id} is stuck", "it should have completed")


def test_a_leaked_lock(scene: Scene) -> None:
    """A unique key that a completed job still has."""
    job_id = scene.send(lambda: Single.options(unique_key="k").dispatch(), key="k")
    scene.work()
    local_id = job_id.partition(":")[2]
    lock = scene.client.hget(scene.key("single", "unique_of"), local_id)
    assert isinstance(lock, bytes)
    scene.client.hset(scene.key("single", "unique"), lock.split()[1].decode(), f"{local_id} 9999999999999")
    found(scene, "was left behind", "leaked unique locks")


def test_a_wrong_count_of_tombstones(scene: Scene) -> None:
    """One more than there are."""
    ran(scene)
    scene.client.hincrby(scene.key("default", "meta"), "tombstones", 1)
    found(scene, "0 tombstones, 1 counted")


def test_a_run_that_started_twice(scene: Scene) -> None:
    """Two workers had the same run."""
    job_id = ran(scene)
    scene.line("start", job_id, 1)
    found(scene, "run 1 started twice", "run 1 is an unmatched duplicate")


def test_a_duplicate_without_a_cause(scene: Scene) -> None:
    """A run that vanished: excused if its worker was killed."""
    job_id = scene.send(Planned.dispatch)
    scene.claim("default", "w0")
    scene.line("start", job_id, 1)
    state = scene.state(job_id).split(" ")
    scene.client.delete(scene.key("default", "active:w0"))
    scene.client.zrem(scene.key("default", "workers"), "w0")
    scene.client.lpush(scene.key("default", "waiting"), job_id.partition(":")[2])
    scene.set_state(job_id, " ".join(["w", *state[1:]]))
    scene.work()
    found(scene, "run 1 is an unmatched duplicate")
    scene.kill(1)
    found(scene)


def test_a_lease_that_ran_out_without_a_cause(scene: Scene) -> None:
    """A living worker was taken for dead."""
    job_id = scene.send(Planned.dispatch)
    scene.claim("default", "w0")
    scene.line("start", job_id, 1)
    scene.reap("default", "w0")
    scene.work()
    found(scene, "run 1 was taken from w0, to which nothing had been done")


def test_a_killed_worker_excuses_a_second_run(scene: Scene) -> None:
    """What the history tells is matched to the kill."""
    job_id = scene.send(Planned.dispatch)
    scene.claim("default", "w0")
    scene.line("start", job_id, 1)
    scene.kill(1)
    scene.reap("default", "w0")
    scene.work()
    found(scene)


def test_a_late_result_that_settled_the_next_run(scene: Scene) -> None:
    """The result is that of a run before, and of another worker."""
    job_id = ran(scene)
    scene.set_state(job_id, re.sub(r'"worker":"[^"]*"', '"worker":"w0"', scene.state(job_id)))
    found(scene, "its result is of another run")


def test_a_record_that_names_another_worker(scene: Scene) -> None:
    """No completed run of that worker is in the journal."""
    job_id = ran(scene)
    words = scene.state(job_id).split(" ")
    words[12] = "w0"
    scene.set_state(job_id, " ".join(words))
    found(scene, "no completed run 1 of w0", "its result is of another run", "unmatched duplicate")


def test_a_completed_job_that_ran_again(scene: Scene) -> None:
    """A run beyond that of the record."""
    job_id = ran(scene)
    scene.line("start", job_id, 2)
    found(scene, "run 2 is unknown to the store")


def test_a_job_that_ended_otherwise_than_planned(scene: Scene) -> None:
    """Completed, though its handler was to fail; and cancelled by nobody."""
    scene.send(Planned.dispatch, "failed")
    scene.work()
    other = scene.send(Planned.dispatch)
    scene.broker.store.actions.cancel("default", [other.partition(":")[2]])
    scene.work()
    faults = scene.faults()
    assert [fault for fault in faults if "it should have failed" in fault]
    assert [fault for fault in faults if "nobody cancelled it" in fault]
    assert len(faults) == 2


def test_a_cancelled_job_that_ran(scene: Scene) -> None:
    """Claimed after the cancel had returned."""
    job_id = scene.send(Planned.dispatch)
    scene.broker.store.actions.cancel("default", [job_id.partition(":")[2]])
    scene.work()
    scene.notes.note(Action("cancel", job_id, "done", 0, time.time_ns() - 10**9, "cancelled"))
    scene.line("start", job_id, 0, worker="-")
    found(scene, "was claimed after it was cancelled")


@pytest.mark.parametrize(("word", "pattern"), [(3, "it has 2 attempts"), (5, "it has 2 recoveries")])
def test_wrong_counters_of_a_job(scene: Scene, word: int, pattern: str) -> None:
    """They are those of its history."""
    job_id = scene.send(lambda: Planned.dispatch(releases=1))
    scene.work()
    words = scene.state(job_id).split(" ")
    words[word] = "2"
    scene.set_state(job_id, " ".join(words))
    found(scene, pattern)


def test_a_job_that_was_retried_with_all_others_and_cancelled_before_it_ran(scene: Scene) -> None:
    """Its attempts began anew, and no run tells of that."""
    job_id = scene.send(lambda: Planned.dispatch(failures=1, fails=True), "failed")
    scene.work()
    local_id = job_id.partition(":")[2]
    scene.broker.store.actions.retry("default", [local_id])
    scene.broker.store.actions.cancel("default", [local_id])
    scene.notes.note(Action("cancel", job_id, "done", 0, time.time_ns(), "cancelled"))
    found(scene)


def test_more_jobs_than_may_run(scene: Scene) -> None:
    """One more than `max_running`, one of them within the time of the others."""
    ids = [scene.send(Limited.dispatch) for _ in range(MAX_RUNNING + 1)]
    scene.work()
    found(scene)
    for offset, job_id in enumerate(ids):
        at_ns = time.time_ns() + 10**9 + offset * 10**6
        pid, worker = 7, scene.state(job_id).split(" ")[12]
        scene.line("start", job_id, 2, at_ns=at_ns, pid=pid, worker=worker)
        scene.line("end", job_id, 2, at_ns=at_ns + 10**8, pid=pid, worker=worker)
    assert any(f"limited: {MAX_RUNNING + 1} jobs ran" in fault for fault in scene.faults())


def test_more_claims_than_the_rate_allows(scene: Scene) -> None:
    """One more than the limit in a window."""
    for number in range(RATE.limit + 1):
        scene.line("start", f"rated:j{number}", 1, claimed_ms=1_000_000 + number * 50)
    assert any(f"rated: more than {RATE.limit} claims in 1000 ms" in fault for fault in scene.faults())


def test_two_jobs_of_one_unique_key(scene: Scene) -> None:
    """Stored while the other was unsettled."""
    first = scene.send(lambda: Planned.dispatch(seconds=0.1), key="k")
    second = scene.send(Planned.dispatch, key="k")
    scene.work()
    found(scene, f"{first} and {second} were there at a time with the unique key 'k'")


def test_a_crash_excuses_the_last_moments_of_a_redis_that_syncs_once_a_second(scene: Scene) -> None:
    """What was stored seconds before is not excused, nor anything where every write is synced."""
    now_ns = time.time_ns()
    scene.notes.note(Sent("default:before", "done", now_ns - 10**10, "completed"))
    scene.notes.note(Sent("default:just", "done", now_ns - 10**8, "completed"))
    scene.notes.note(Fault("redis-kill", 0, now_ns))
    found(scene, "default:before was", "default:just was")
    found_lossy = scene.faults(is_lossy=True)
    assert [fault.split()[0] for fault in found_lossy] == ["default:before"]
