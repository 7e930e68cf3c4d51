"""Limits of a queue over all its workers: claims in a window, and jobs held at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_queue.outcome import Cancelled, Completed, Failed, GivenBack, Released, Retried
from tests.store.driver import ERROR, Driver

if TYPE_CHECKING:
    from flask_queue.outcome import Outcome
    from flask_queue.store.transitions import Settlement

WINDOW_MS = 60_000
OUTCOMES = [Completed(), Failed(ERROR), Retried(9000, ERROR), Released(9000), Cancelled()]
each_end = pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)


def jobs(count: int) -> list[str]:
    """Ids of so many jobs."""
    return [f"j{number}" for number in range(count)]


def test_a_rate_limit_is_that_of_all_workers(queue: Driver) -> None:
    """So many claims in a window, whoever makes them."""
    limited = queue.limited(claims=3, window_ms=WINDOW_MS)
    queue.add(*jobs(9))
    assert limited.claim(2, "w1") == ["j0", "j1"]
    assert limited.claim(2, "w2") == ["j2"]
    assert limited.claim(2, "w1") == []


def test_a_closed_queue_says_when_it_opens(queue: Driver) -> None:
    """When the window has passed the oldest claim; nothing is lost, and no marker sends workers round in circles."""
    limited = queue.limited(claims=2, window_ms=WINDOW_MS)
    queue.add(*jobs(5))
    queue.take_marker()
    first = limited.cycle(want=1)
    assert (first.opens_ms, queue.take_marker()) == (0, True)
    second = limited.cycle("w2", want=5)
    assert (len(second.claimed), second.left) == (1, 3)
    for reply in (second, limited.cycle("w1"), limited.cycle("w2", want=5)):
        assert (reply.opens_ms, reply.left) == (first.now_ms + WINDOW_MS + 1, 3)
        assert not queue.take_marker()


def test_an_empty_queue_is_not_closed(queue: Driver) -> None:
    """Where nothing is left there is nothing to look for again."""
    limited = queue.limited(claims=1, window_ms=WINDOW_MS, running=1)
    queue.add("a")
    assert limited.cycle(want=2).opens_ms == 0


def test_claims_count_until_the_window_has_passed(queue: Driver) -> None:
    """Those that it has passed make room, the others do not."""
    limited = queue.limited(claims=3, window_ms=WINDOW_MS)
    queue.add(*jobs(9))
    limited.claim(1)
    queue.age_claims(WINDOW_MS // 2)
    assert len(limited.claim(5)) == 2
    queue.age_claims(WINDOW_MS // 2 + 1)
    assert len(limited.claim(5)) == 1
    queue.age_claims(WINDOW_MS // 2 + 1)
    reply = limited.cycle(want=1)
    assert (len(reply.claimed), reply.opens_ms) == (1, 0)
    assert queue.take_marker(), "there is room for another worker"
    assert len(limited.claim(5)) == 1


@pytest.mark.parametrize(("claims", "window_ms"), [(1, 20), (7, 150), (300, 100)])
def test_no_window_has_more_claims_than_the_limit(queue: Driver, claims: int, window_ms: int) -> None:
    """Two workers that claim as fast as they can: no window of any start has one too many."""
    limited = queue.limited(claims=claims, window_ms=window_ms)
    queue.add(*jobs(256))
    start_ms = limited.cycle().now_ms
    times: list[int] = []
    settle: dict[str, list[Settlement]] = {"w1": [], "w2": []}
    while not times or times[-1] < start_ms + 1500:
        for worker, ended in settle.items():
            reply = limited.cycle(worker, want=200, settle=ended)
            settle[worker] = [queue.ended(job.local_id, Released()) for job in reply.claimed]
            times += [reply.now_ms] * len(reply.claimed)
    assert all(later - earlier > window_ms for earlier, later in zip(times, times[claims:], strict=False))
    assert len(times) >= 0.3 * claims * 1500 / window_ms


def test_only_what_runs_is_counted(queue: Driver) -> None:
    """Tombstones, and a job whose payload is gone, take no slot."""
    limited = queue.limited(claims=2, window_ms=WINDOW_MS)
    queue.add(*jobs(5))
    queue.cancel("j1")
    queue.client.hdel(queue.keys["jobs"], "j0")
    assert limited.claim(2) == []
    assert limited.claim(5) == ["j2", "j3"]


def test_a_claim_that_goes_back_keeps_its_slot(queue: Driver) -> None:
    """The limit is one of claims, and holds whatever workers do with them."""
    limited = queue.limited(claims=1, window_ms=WINDOW_MS)
    queue.add("a")
    limited.claim()
    limited.settle("a", GivenBack())
    assert limited.claim() == []


def test_a_limit_that_was_lowered_holds_at_once(queue: Driver) -> None:
    """The claims of the higher limit count, and the queue opens when few enough of them do."""
    high = queue.limited(claims=600, window_ms=WINDOW_MS)
    for start in range(0, 600, 200):
        queue.add(*(f"j{number}" for number in range(start, start + 200)))
        assert len(high.claim(200)) == 200
        queue.age_claims(1000)
    queue.add("next")
    low = queue.limited(claims=10, window_ms=WINDOW_MS)
    reply = low.cycle(want=1)
    last_ms = int(queue.client.lindex(queue.keys["claims"], -1) or 0)
    assert (reply.claimed, reply.opens_ms) == ([], last_ms + WINDOW_MS + 1)
    queue.age_claims(WINDOW_MS)
    assert [low.claim(), low.claim()] == [[], ["next"]], "a look goes through some hundred claims at most"


def test_a_clock_that_was_set_back_does_not_close_a_queue(queue: Driver) -> None:
    """Claims of the future cannot be; waiting for them could take for ever."""
    limited = queue.limited(claims=2, window_ms=WINDOW_MS)
    queue.add(*jobs(4))
    limited.claim(2)
    queue.age_claims(-3_600_000)
    assert limited.claim(2) == ["j2", "j3"]


def test_claims_are_forgotten_without_a_look(queue: Driver) -> None:
    """A limit that is taken away leaves nothing behind."""
    queue.add("a")
    queue.limited(claims=2, window_ms=WINDOW_MS).claim()
    assert WINDOW_MS - 5000 < queue.client.pttl(queue.keys["claims"]) <= WINDOW_MS + 1


def test_looks_are_no_more_than_a_hundred_in_a_window(queue: Driver) -> None:
    """Slots that open one by one within moments are worth one look."""
    limited = queue.limited(claims=2, window_ms=5000)
    queue.add(*jobs(3))
    limited.claim(2)
    queue.age_claims(4990)
    reply = limited.cycle(want=1)
    assert reply.opens_ms - reply.now_ms == 50


def test_no_more_jobs_are_held_than_may_run(queue: Driver) -> None:
    """Over all workers; a queue that is full leaves no marker, as only the end of a run opens it."""
    limited = queue.limited(running=3)
    queue.add(*jobs(9))
    queue.take_marker()
    assert (limited.claim(2, "w1"), queue.take_marker()) == (["j0", "j1"], True)
    reply = limited.cycle("w2", want=2)
    assert ([job.local_id for job in reply.claimed], reply.left) == (["j2"], 6)
    for full in (reply, limited.cycle("w1", want=5), limited.cycle("w3", want=5)):
        assert (full.opens_ms, queue.take_marker()) == (-1, False)


@each_end
def test_the_end_of_a_run_frees_its_slot(queue: Driver, outcome: Outcome) -> None:
    """The worker that settles takes the next job in the same call, and then there is nothing to wake others for."""
    limited = queue.limited(running=1)
    queue.add("a", "b", "c")
    limited.claim()
    queue.take_marker()
    reply = limited.cycle(want=2, settle=[queue.ended("a", outcome)])
    assert ([job.local_id for job in reply.claimed], reply.opens_ms) == (["b"], -1)
    assert limited.cycle("w2", want=2).claimed == []


@each_end
def test_a_slot_that_is_left_wakes_another_worker(queue: Driver, outcome: Outcome) -> None:
    """A worker that settles without claiming leaves a marker."""
    limited = queue.limited(running=1)
    queue.add("a", "b")
    limited.claim()
    queue.take_marker()
    limited.settle("a", outcome)
    assert queue.take_marker()
    assert limited.claim(2, "w2") == ["b"]


def test_a_dead_worker_holds_its_slots_until_its_jobs_are_taken_back(queue: Driver) -> None:
    """They may be running still; then they are free at once, and others are woken."""
    limited = queue.limited(running=2)
    queue.add(*jobs(4))
    limited.claim(2, "w1")
    queue.silence("w1")
    assert limited.claim(2, "w2") == []
    queue.take_marker()
    assert queue.reap().recovered == 2
    assert queue.take_marker()
    assert sorted(limited.claim(5, "w2")) == ["j0", "j1"]


def test_both_limits_hold(queue: Driver) -> None:
    """The stricter one decides; the reply tells of the rate where that is used up."""
    limited = queue.limited(claims=3, window_ms=WINDOW_MS, running=2)
    queue.add(*jobs(9))
    full = limited.cycle(want=5)
    assert (len(full.claimed), full.opens_ms) == (2, -1)
    closed = limited.cycle(want=5, settle=[queue.ended(job, Completed()) for job in ("j0", "j1")])
    assert (len(closed.claimed), closed.opens_ms) == (1, full.now_ms + WINDOW_MS + 1)
    queue.age_claims(WINDOW_MS + 1)
    assert [len(limited.claim(5)), limited.cycle(want=5).opens_ms] == [1, -1]


def test_delayed_jobs_become_ready_in_a_closed_queue(queue: Driver) -> None:
    """They wait like the others, in the order of their times."""
    limited = queue.limited(running=1)
    queue.add("a")
    queue.add("later", due="+60000")
    limited.claim()
    queue.make_due("later")
    assert (limited.cycle(want=1).left, queue.state("later").state) == (1, "w")
