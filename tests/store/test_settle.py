"""Settling: what each outcome makes of a job, and who may settle it."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, GivenBack, Outcome, Released, Retried
from flask_queue.store.transitions import BATCH
from tests.store.checks import Snapshot, snapshot
from tests.store.driver import ERROR, Driver

OUTCOMES: list[Outcome] = [
    Completed('{"sent": true}'),
    Retried(5000, ERROR),
    Retried(0, ERROR),
    Failed(ERROR),
    Released(5000),
    Released(),
    Cancelled(),
    GivenBack(),
]
each_outcome = pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)


def ended(queue: Driver, outcome: Outcome, *, runtime_ms: int = 40) -> int:
    """Store, claim and settle the job `a`; return Redis's time of the settling."""
    queue.add("a")
    queue.claim()
    reply = queue.cycle(settle=[queue.ended("a", outcome, runtime_ms=runtime_ms)])
    assert (reply.late, reply.held) == ([], 0)
    return reply.now_ms


def test_a_job_that_is_refused_spends_no_attempt(queue: Driver) -> None:
    """It fails for good without having run: the error is in its history, its attempts are as before."""
    queue.add("a")
    queue.claim()
    queue.settle("a", Retried(0, ERROR))
    queue.claim()
    queue.settle("a", Failed(ERROR, spends_attempt=False))
    assert (queue.state("a").state, queue.state("a").attempts) == ("f", 1)
    assert queue.history("a") == [(1, "retried"), (2, "failed")]


def test_completed(queue: Driver) -> None:
    """It spends an attempt, keeps its result, and its one run is told by the record alone."""
    now_ms = ended(queue, Completed('{"sent": [1, 2]}'), runtime_ms=40)
    state = queue.state("a")
    assert (state.state, state.attempts, state.result, state.flags) == ("c", 1, '{"sent": [1, 2]}', "-")
    assert (state.started_ms, state.finished_ms, state.runtime_ms) == (now_ms - 40, now_ms, 40)
    assert (state.worker, state.number) == ("w1", 1)
    assert queue.history("a") == []


def test_completed_in_a_later_run(queue: Driver) -> None:
    """A job that did not complete at once has all its runs in its history."""
    ended(queue, Retried(0, ERROR))
    queue.claim()
    queue.settle("a", Completed())
    assert queue.history("a") == [(1, "retried"), (2, "completed")]
    assert (queue.state("a").state, queue.state("a").attempts) == ("c", 2)


def test_a_cut_result_is_marked(queue: Driver) -> None:
    """The flag joins those that the job has."""
    queue.add("a")
    queue.claim()
    queue.log("a", "line")
    queue.settle("a", Completed('"half', result_cut=True))
    assert sorted(queue.state("a").flags) == ["l", "t"]


@pytest.mark.parametrize("result", ["", "0", '"  two  spaces "', '"é %d \\n"', f'"{"x" * 65_536}"'])
def test_results_are_kept_as_they_are(queue: Driver, result: str) -> None:
    """Whatever JSON a run returns, its record ends with it."""
    ended(queue, Completed(result))
    assert queue.state("a").result == result


def test_retried_after_a_delay(queue: Driver) -> None:
    """It spends an attempt and is delayed by Redis's clock; the run and its error are in the history."""
    now_ms = ended(queue, Retried(5000, ERROR), runtime_ms=40)
    state = queue.state("a")
    assert (state.state, state.attempts, state.due_ms, state.finished_ms) == ("d", 1, now_ms + 5000, 0)
    assert queue.entries("a") == [
        {
            "number": 1,
            "outcome": "retried",
            "started_at": now_ms - 40,
            "finished_at": now_ms,
            "worker": "w1",
            "error": asdict(ERROR),
        }
    ]


def test_retried_at_once_goes_to_the_end(queue: Driver) -> None:
    """Without a delay it waits behind what waits already."""
    ended(queue, Retried(0, ERROR))
    queue.add("b")
    assert queue.state("a").state == "w"
    assert queue.state("a").due_ms == queue.entries("a")[-1]["finished_at"]  # so long it waits for its next run
    assert queue.claim(1) == ["a"]
    queue.settle("a", Retried(0, ERROR))
    assert queue.claim(2) == ["b", "a"]


def test_a_retry_may_replace_the_message(queue: Driver) -> None:
    """What stock middleware changed in its options is what the next run gets; otherwise the message stays."""
    ended(queue, Retried(0, ERROR, message=b"SendWelcomeEmail\n{}\n[[],{},7]"))
    [job] = queue.cycle(want=1).claimed
    assert job.message == b"SendWelcomeEmail\n{}\n[[],{},7]"
    queue.settle("a", Retried(0, ERROR))
    assert queue.cycle(want=1).claimed[0].message == job.message


def test_failed(queue: Driver) -> None:
    """It spends an attempt and is listed by the time of its end."""
    now_ms = ended(queue, Failed(ERROR))
    state = queue.state("a")
    assert (state.state, state.attempts, state.finished_ms) == ("f", 1, now_ms)
    assert [(entry["outcome"], entry["error"]) for entry in queue.entries("a")] == [("failed", asdict(ERROR))]


def test_released_spends_nothing(queue: Driver) -> None:
    """It waits at the end of its queue, or is delayed; the run is in the history, without an error."""
    now_ms = ended(queue, Released(5000))
    state = queue.state("a")
    assert (state.state, state.attempts, state.due_ms) == ("d", 0, now_ms + 5000)
    queue.make_due("a")
    queue.add("b", "c")
    assert queue.claim(1) == ["b"]
    queue.settle("b", Released())
    assert queue.claim(9) == ["c", "a", "b"]
    assert [(entry["outcome"], entry["error"]) for entry in queue.entries("a")] == [("released", None)]


def test_cancelled(queue: Driver) -> None:
    """It spends no attempt and is listed by the time of its end."""
    now_ms = ended(queue, Cancelled())
    state = queue.state("a")
    assert (state.state, state.attempts, state.finished_ms) == ("x", 0, now_ms)
    assert queue.history("a") == [(1, "cancelled")]


def test_given_back_is_as_if_never_claimed(queue: Driver) -> None:
    """It waits at the front, unspent, without a run in its history; only the run number stays counted."""
    ended(queue, GivenBack())
    queue.add("b")
    state = queue.state("a")
    assert (state.state, state.attempts, state.recoveries, state.started_ms, state.number) == ("w", 0, 0, 0, 1)
    assert queue.history("a") == []
    assert queue.claim(2) == ["a", "b"]


def frozen(queue: Driver) -> Snapshot:
    """All that Redis holds of the queue, without the workers' beats."""
    found = snapshot(queue.client, queue.keys)
    return replace(found, scores={name: pairs for name, pairs in found.scores.items() if name != "workers"})


@each_outcome
def test_another_worker_cannot_settle(queue: Driver, outcome: Outcome) -> None:
    """Only the worker that holds a job settles it; anybody else changes nothing and is told."""
    queue.add("a")
    queue.claim(1, "w1")
    before = frozen(queue)
    assert queue.settle("a", outcome, worker="w2") == ["a"]
    assert frozen(queue) == before


@each_outcome
def test_an_earlier_run_cannot_be_settled(queue: Driver, outcome: Outcome) -> None:
    """A worker that was stopped, lost its job and has it again must not settle the new run with the old one's end."""
    queue.add("a")
    queue.claim(1, "w1")
    queue.silence("w1")
    queue.reap()
    assert queue.claim(1, "w1") == ["a"]
    before = frozen(queue)
    assert queue.settle("a", outcome, worker="w1", number=1) == ["a"]
    assert frozen(queue) == before


def test_run_numbers_are_compared_whole(queue: Driver) -> None:
    """1 is not 11, and not 01."""
    queue.add("a")
    queue.claim()
    queue.write("a", queue.state("a")._replace(number=11))
    assert queue.settle("a", Completed(), number=1) == ["a"]
    assert queue.settle("a", Completed(), number=11) == []


@each_outcome
@pytest.mark.parametrize("first", OUTCOMES, ids=repr)
def test_a_run_is_settled_once(queue: Driver, first: Outcome, outcome: Outcome) -> None:
    """The second end of a run, as when the reply to the first was lost, changes nothing and is reported."""
    ended(queue, first)
    before = frozen(queue)
    assert queue.settle("a", outcome, number=1) == ["a"]
    assert frozen(queue) == before


@each_outcome
def test_a_job_that_is_gone_cannot_be_settled(queue: Driver, outcome: Outcome) -> None:
    """Settling what retention has removed, or what never was, leaves no trace."""
    assert queue.settle("nobody", outcome, number=1) == ["nobody"]
    assert queue.traces("nobody") == set()


@each_outcome
@pytest.mark.parametrize("first", OUTCOMES, ids=repr)
def test_a_run_is_settled_once_in_one_call(queue: Driver, first: Outcome, outcome: Outcome) -> None:
    """Two ends of one run in the same call: one of them counts, the other is late."""
    queue.add("a")
    queue.claim()
    reply = queue.cycle(settle=[queue.ended("a", first), queue.ended("a", outcome)])
    assert list(reply.late) == ["a"]


def test_two_runs_of_a_job_are_settled_in_one_call(queue: Driver) -> None:
    """A worker that was taken for dead can get its own job again: of its two ends the earlier run's alone is late."""
    queue.add("a")
    queue.claim()
    queue.silence("w1")
    queue.reap()
    assert queue.claim() == ["a"]
    reply = queue.cycle(settle=[queue.ended("a", Completed(), number=1), queue.ended("a", Completed(), number=2)])
    assert list(reply.late_runs) == [("a", 1)]
    assert (queue.state("a").state, queue.state("a").recoveries) == ("c", 1)


def test_a_mixed_batch(queue: Driver) -> None:
    """The most that a call takes, of all kinds, with late ones among them: each gets its own outcome."""
    ids = [f"j{index}" for index in range(BATCH)]
    queue.add(*ids)
    queue.claim(BATCH)
    endings = [queue.ended(job, OUTCOMES[index % 8]) for index, job in enumerate(ids)]
    late = [ending._replace(number=2) if index % 9 == 0 else ending for index, ending in enumerate(endings)]
    reply = queue.cycle(settle=late)
    assert sorted(reply.late) == sorted(ids[::9])
    for index, job in enumerate(ids):
        assert queue.state(job).state == ("a" if index % 9 == 0 else "cdwfdwxw"[index % 8])
    assert reply.held == len(ids[::9])


def test_a_full_batch_of_completed_jobs_settles_and_claims(queue: Driver) -> None:
    """256 settled and 256 claimed in one call stay within Lua's limits."""
    first, second = [f"a{index}" for index in range(BATCH)], [f"b{index}" for index in range(BATCH)]
    queue.add(*first)
    queue.add(*second)
    queue.claim(BATCH)
    reply = queue.cycle(want=BATCH, settle=[queue.ended(job, Completed("1")) for job in first])
    assert [job.local_id for job in reply.claimed] == second


def test_a_runtime_cannot_spoil_a_record(queue: Driver) -> None:
    """A worker's clock that went backwards, or counted too much, leaves a record that can be read."""
    for local_id, runtime_ms in {"back": -5, "zero": 0, "ages": 10**15}.items():
        queue.add(local_id)
        queue.claim()
        queue.cycle(settle=[queue.ended(local_id, Released(), runtime_ms=runtime_ms)])
        assert queue.claim() == [local_id]
        queue.settle(local_id, Completed())


def test_old_runs_leave_a_long_history(queue: Driver) -> None:
    """Beyond a quarter of a mebibyte the oldest runs are dropped, whole ones, and the newest is always there."""
    long = replace(ERROR, traceback="x" * 30_000)
    ended(queue, Retried(0, long))
    for _ in range(9):
        queue.claim()
        queue.settle("a", Retried(0, long))
    assert [number for number, _ in queue.history("a")] == list(range(3, 11))
    queue.claim()
    queue.settle("a", Failed(replace(ERROR, traceback="y" * 300_000)))
    assert queue.history("a") == [(11, "failed")]
