"""Listings and searches: pages that neither drift nor leave out what stays, in bounded steps."""

from __future__ import annotations

import itertools
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue.outcome import Completed, Failed
from flask_queue.query import Query
from flask_queue.record import JobState
from flask_queue.store import finder
from flask_queue.store.queries import Queries
from flask_queue.store.scripts import run_all
from flask_queue.store.store import Store
from tests.store.driver import ERROR, PREFIX, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask_queue.record import Page

KIB = 1 << 10


@pytest.fixture
def queries(redis_url: str, queue: Driver) -> Iterator[Queries]:
    """Reads of the queues q and other."""
    store = Store(redis_url, prefix=PREFIX, dispatch_timeout_s=2, socket_timeout_s=5)
    yield Queries(store, ["q", "other"], lambda name: 3)
    store.close()


def query(*states: JobState, **more: Any) -> Query:
    """Jobs in these states."""
    return Query(states=states or None, **more)


def read(queries: Queries, asked: Query, limit: int = 7, **options: Any) -> Iterator[Page]:
    """Page after page."""
    cursor: str | None = None
    while True:
        page = queries.page(asked, limit=limit, cursor=cursor, **options)
        assert len(page.records) <= limit
        yield page
        if (cursor := page.next_cursor) is None:
            return


def ids(records: Any) -> list[str]:
    """Local ids."""
    return [record.id.partition(":")[2] for record in records]


def all_ids(queries: Queries, asked: Query, limit: int = 7, **options: Any) -> list[str]:
    """Local ids of all pages."""
    return [local_id for page in read(queries, asked, limit, **options) for local_id in ids(page.records)]


def fill(queue: Driver, count: int, *, prefix: str = "j", **options: Any) -> list[str]:
    """Store many jobs."""
    names = [f"{prefix}{number:04}" for number in range(count)]
    for start in range(0, count, 200):
        queue.add(*names[start : start + 200], **options)
    return names


def finish(queue: Driver, count: int, state: JobState) -> list[str]:
    """Finish many jobs, all of a step in the same millisecond."""
    names = [f"j{number:04}" for number in range(count)]
    outcome = Completed() if state is JobState.COMPLETED else Failed(ERROR)
    for start in range(0, count, 200):
        batch = names[start : start + 200]
        if state is JobState.CANCELLED:
            queue.add(*batch)
            queue.cancel(*batch)
        else:
            queue.finish(*batch, outcome=outcome)
    return names


FINISHED = [JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED]


@pytest.mark.parametrize("state", FINISHED)
def test_many_that_finished_at_once_are_all_listed(queue: Driver, queries: Queries, state: JobState) -> None:
    """A thousand in the same millisecond, once each, newest first, whatever the length of a page."""
    names = finish(queue, 1000, state)
    moment_ms = 1_700_000_000_000
    ended = [key for key in queue.client.keys(queue.keys["by:*"]) if b"by:tag:" not in key]
    for key in (queue.keys[state.value], *ended):
        queue.client.zadd(key, dict.fromkeys(names, moment_ms))
    for name in names:
        queue.write(name, queue.state(name)._replace(finished_ms=moment_ms))
    for limit in (7, 500, 1000, 1001):
        assert all_ids(queries, query(state), limit) == names[::-1]
    pages = read(queries, query(state), 1)
    assert [ids(next(pages).records) for _ in range(30)] == [[name] for name in names[:-31:-1]]


@pytest.mark.parametrize("state", FINISHED)
def test_a_page_of_finished_jobs_does_not_drift(queue: Driver, queries: Queries, state: JobState) -> None:
    """What finishes meanwhile is before it, and the job that it ended with may be gone."""
    names = finish(queue, 30, state)
    order = ids(queries.page(query(state), limit=30).records)
    assert sorted(order) == names
    pages = read(queries, query(state), 10)
    assert ids(next(pages).records) == order[:10]
    queue.delete(*order[5:12])
    more = [f"m{number}" for number in range(25)]
    queue.finish(*more, outcome=Completed() if state is JobState.COMPLETED else Failed(ERROR))
    assert [local_id for page in pages for local_id in ids(page.records)] == order[12:]


def test_delayed_jobs_come_in_the_order_of_their_times(queue: Driver, queries: Queries) -> None:
    """Jobs that become due, come or go before the page leave it alone."""
    names = fill(queue, 40, due="+60000")
    for number, name in enumerate(names):
        queue.reschedule(name, 2_000_000_000_000 + number // 20)
    pages = read(queries, query(JobState.DELAYED), 15)
    assert ids(next(pages).records) == names[:15]
    queue.promote(*names[:15])
    queue.add("soon", due="+1000")
    queue.delete(names[20])
    assert [local_id for page in pages for local_id in ids(page.records)] == [*names[15:20], *names[21:]]


def test_waiting_jobs_come_as_they_will_run(queue: Driver, queries: Queries) -> None:
    """By priority, then first in first out; other queues after them."""
    low = fill(queue, 5, prefix="l", priority=-3)
    plain = fill(queue, 9, prefix="p")
    high = fill(queue, 5, prefix="h", priority=3)
    Driver(queue.client, "other").add("o")
    queue.cancel("p0003", "h0001", "l0004")
    expected = [name for name in (*high, *plain, *low) if name not in ("p0003", "h0001", "l0004")]
    for limit in (1, 3, 100):
        assert all_ids(queries, query(JobState.WAITING), limit) == [*expected, "o"]
    assert all_ids(queries, query(JobState.WAITING, queues=("q",))) == queue.claim(20)


def test_workers_take_jobs_while_waiting_ones_are_listed(queue: Driver, queries: Queries) -> None:
    """Those before the page, its last one, and some behind it."""
    names = fill(queue, 60)
    pages = read(queries, query(JobState.WAITING), 10)
    assert ids(next(pages).records) == names[:10]
    queue.claim(5)
    assert ids(next(pages).records) == names[10:20]
    queue.claim(22)
    more = fill(queue, 7, prefix="m")
    assert ids(next(pages).records) == names[27:37]
    assert [local_id for page in pages for local_id in ids(page.records)] == [*names[37:], *more]


def test_the_job_that_a_page_ended_with_may_be_a_tombstone(queue: Driver, queries: Queries) -> None:
    """Or be no more."""
    names = fill(queue, 30)
    pages = read(queries, query(JobState.WAITING), 10)
    assert ids(next(pages).records) == names[:10]
    queue.cancel(names[9])
    assert ids(next(pages).records) == names[10:20]
    queue.delete(names[19], names[20])
    assert ids(next(pages).records) == names[21:30]


def test_many_jobs_come_while_waiting_ones_are_listed(queue: Driver, queries: Queries) -> None:
    """More than are looked through next to where the page's last one was: then all are."""
    names = fill(queue, 1500)
    for place in (10, 1400):
        page = next(read(queries, query(JobState.WAITING), place))
        assert ids(page.records) == names[:place]
        names += fill(queue, 1200, prefix=f"m{place}")
        page = queries.page(query(JobState.WAITING), limit=20, cursor=page.next_cursor)
        assert ids(page.records) == names[place : place + 20]


def test_jobs_that_are_given_back_hide_no_others(queue: Driver, queries: Queries) -> None:
    """They are at the front of the list, before the page."""
    names = fill(queue, 30)
    pages = read(queries, query(JobState.WAITING), 10)
    next(pages)
    queue.claim(20)
    queue.silence("w1")
    queue.reap()
    assert set(names[10:]) <= {local_id for page in pages for local_id in ids(page.records)}


def test_active_jobs_are_listed(queue: Driver, queries: Queries) -> None:
    """Of all workers, page by page."""
    names = fill(queue, 23)
    queue.claim(10, "w1")
    queue.claim(8, "w2")
    assert all_ids(queries, query(JobState.ACTIVE), 4) == names[:18]
    assert set(all_ids(queries, query(), 5)) == set(names)


def test_tombstones_are_passed_over(queue: Driver, queries: Queries) -> None:
    """However many: a page is full all the same, and each job is on it once."""
    names = fill(queue, 3000)
    queue.claim(1)  # so that there is one before them, which nothing sweeps
    queue.client.lpush(queue.keys["waiting"], names[0])
    queue.client.hincrby(queue.keys["meta"], "tombstones", 1)
    for start in range(10, 2990, 149):
        queue.cancel(*names[start : min(start + 149, 2990)])
    page = queries.page(query(JobState.WAITING), limit=12)
    assert ids(page.records) == [*names[1:10], *names[2990:2993]]
    queue.retry(names[100])
    page = queries.page(query(JobState.WAITING), limit=50)
    assert sorted(ids(page.records)) == [*names[1:10], names[100], *names[2990:]]


class Bustle:
    """Random changes to a queue, by users, workers and operators.

    Args:
        queue: which.
        queries: to find jobs to act on.
        chance: makes the choices.
    """

    def __init__(self, queue: Driver, queries: Queries, chance: random.Random) -> None:
        self._queue = queue
        self._queries = queries
        self._chance = chance
        self._numbers = itertools.count()

    def change(self) -> None:
        """Do something."""
        changes = (self._dispatch, self._delay, self._work, self._cancel, self._delete, self._promote, self._retry)
        self._chance.choice(changes)()

    def _add(self, **options: Any) -> None:
        self._queue.add(*(f"n{next(self._numbers)}" for _ in range(self._chance.randrange(1, 20))), **options)

    def _dispatch(self) -> None:
        self._add(priority=self._chance.choice([0, 0, 0, 5, -5]))

    def _delay(self) -> None:
        self._add(due=f"+{self._chance.randrange(100_000, 100_010)}")

    def _work(self) -> None:
        claimed = self._queue.claim(self._chance.randrange(1, 10))
        ends = [
            self._queue.ended(local_id, Completed() if self._chance.random() < 0.5 else Failed(ERROR))
            for local_id in claimed
        ]
        self._queue.cycle(settle=ends)

    def _cancel(self) -> None:
        self._queue.cancel(*self._some(JobState.WAITING))

    def _delete(self) -> None:
        self._queue.delete(*self._some(*FINISHED, JobState.DELAYED, JobState.WAITING))

    def _promote(self) -> None:
        self._queue.promote(*self._some(JobState.DELAYED))

    def _retry(self) -> None:
        self._queue.retry(*self._some(JobState.FAILED, JobState.CANCELLED))

    def _some(self, *states: JobState) -> list[str]:
        records = list(self._queries.page(query(self._chance.choice(states)), limit=400).records)
        return [*ids(self._chance.sample(records, min(len(records), self._chance.randrange(12)))), "none"]


@pytest.mark.parametrize("seed", range(6))
def test_what_stays_is_listed(queue: Driver, queries: Queries, seed: int) -> None:
    """Whatever comes and goes between two pages: a finished or delayed job once, a waiting one at least once."""
    chance = random.Random(seed)
    bustle = Bustle(queue, queries, chance)

    def places(state: JobState) -> set[tuple[object, ...]]:
        found = queries.page(query(state), limit=10_000).records
        return {(record.id, record.finished_at, record.scheduled_at) for record in found}

    for _ in range(60):
        bustle.change()
    for state in (JobState.WAITING, JobState.DELAYED, *FINISHED) * 2:
        stayed, seen = places(state), list[str]()
        for number, page in enumerate(read(queries, query(state), chance.randrange(1, 15))):
            seen += [record.id for record in page.records]
            # More would keep ahead of a reader of short pages.
            for _ in range(chance.randrange(3) if number < 20 else 0):
                bustle.change()
                stayed &= places(state)
        missing = {job_id for job_id, *_ in stayed} - set(seen)
        assert not missing, f"{missing} stayed {state}, and were on no page"
        assert state is JobState.WAITING or len(seen) == len(set(seen)), "twice on a page"


def test_pages_are_whole_while_workers_run(queue: Driver, queries: Queries) -> None:
    """Nothing that waits from the first page to the last is left out, at the full speed of a worker."""
    names = fill(queue, 2000)
    over = threading.Event()

    def work() -> None:
        number = 0
        while not over.is_set():
            claimed = queue.claim(3)
            queue.cycle(settle=[queue.ended(local_id, Completed()) for local_id in claimed])
            queue.add(*(f"m{number + each}" for each in range(3)))
            number += 3

    thread = threading.Thread(target=work)
    thread.start()
    try:
        seen = all_ids(queries, query(JobState.WAITING), 20)
    finally:
        over.set()
        thread.join()
    stayed = {name for name in names if queue.state(name).state == "w"}
    assert len(stayed) < 2000
    assert stayed <= set(seen)


def test_all_states_at_once(queue: Driver, queries: Queries) -> None:
    """Active, waiting, delayed, failed, completed, cancelled: one after the other."""
    queue.finish("f", outcome=Failed(ERROR))
    queue.finish("c")
    queue.add("x")
    queue.cancel("x")
    queue.add("a")
    queue.claim()
    queue.add("w")
    queue.add("d", due="+60000")
    for limit in (1, 2, 6, 10):
        assert all_ids(queries, query(), limit) == ["a", "w", "d", "f", "c", "x"]
    assert all_ids(queries, query(JobState.FAILED, JobState.WAITING)) == ["w", "f"]


@pytest.fixture
def other(queue: Driver) -> Driver:
    """The other queue."""
    return Driver(queue.client, "other")


@pytest.mark.parametrize("seed", range(3))
def test_queues_are_listed_as_one_by_time(queue: Driver, other: Driver, queries: Queries, seed: int) -> None:
    """Newest first over all queues, each job once, also where many share a millisecond and jobs come and go."""
    chance = random.Random(seed)
    for number in range(60):
        names = [f"{number:02}{letter}" for letter in "abcdefgh"[: chance.randrange(1, 8)]]
        chance.choice((queue, other)).finish(*names, outcome=Failed(ERROR))
    asked, seen, times = query(JobState.FAILED), list[str](), list[Any]()
    stay = {record.id for page in read(queries, asked, 100) for record in page.records}
    for page in read(queries, asked, chance.randrange(1, 20)):
        seen += [record.id for record in page.records]
        times += [record.finished_at for record in page.records]
        # What fails now is newer than all that is still to come; what was seen may go, and the last of it, too.
        queue.finish(f"new{len(seen)}", outcome=Failed(ERROR))
        gone = chance.choice(seen)
        (queue if gone.startswith("q:") else other).delete(gone.partition(":")[2])
    assert len(seen) == len(set(seen))
    assert set(seen) == stay
    assert times == sorted(times, reverse=True)


def test_delayed_jobs_of_all_queues_come_by_their_times(queue: Driver, other: Driver, queries: Queries) -> None:
    """The next to run first."""
    for number in range(30):
        (queue if number % 3 else other).add(f"j{number:02}", due=f"+{600_000 - number * 1000}")
    assert all_ids(queries, query(JobState.DELAYED), 4) == [f"j{number:02}" for number in reversed(range(30))]


def test_a_state_after_those_of_several_queues_is_listed(queue: Driver, other: Driver, queries: Queries) -> None:
    """All states at once, page by page."""
    for of, names, outcome in (
        (queue, "ab", Failed(ERROR)),
        (other, "c", Failed(ERROR)),
        (other, "d", Completed()),
        (queue, "e", Completed()),
    ):
        of.finish(*names, outcome=outcome)
        # Within a millisecond nothing says which was first.
        time.sleep(0.002)
    queue.add("f")
    assert all_ids(queries, query(), 1) == ["f", "c", "b", "a", "e", "d"]


def test_a_page_says_how_far_it_is(queue: Driver, queries: Queries) -> None:
    """Of all that there is to look at, over all pages."""
    fill(queue, 25)
    pages = list(read(queries, query(JobState.WAITING), 10))
    assert [(page.scanned, page.total) for page in pages] == [(10, 25), (20, 25), (25, 25)]
    assert [page.next_cursor is None for page in pages] == [False, False, True]
    assert queries.page(query(JobState.WAITING), limit=25).next_cursor is None


def test_since_and_until(queue: Driver, queries: Queries) -> None:
    """By the end of what finished, by the dispatch of the rest; both times are included."""
    queue.finish("a", "b", "c", outcome=Failed(ERROR))
    queue.add("w1", "w2", "d1", "d2")
    for number, name in enumerate("abc"):
        queue.age(name, by_ms=1000 * number)
    queue.write("w1", queue.state("w1")._replace(created_ms=1000))
    moments = [queue.state(name).finished_ms for name in "abc"]
    assert all_ids(queries, query(JobState.FAILED, since_ms=moments[1])) == ["a", "b"]
    assert all_ids(queries, query(JobState.FAILED, until_ms=moments[1]), 1) == ["b", "c"]
    assert all_ids(queries, query(JobState.FAILED, since_ms=moments[1], until_ms=moments[1])) == ["b"]
    assert all_ids(queries, query(JobState.WAITING, until_ms=1000)) == ["w1"]
    assert all_ids(queries, query(JobState.WAITING, since_ms=1001)) == ["w2", "d1", "d2"]
    assert queries.page(query(JobState.FAILED, since_ms=moments[1]), limit=5).total == 2


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "é", "MC4w", "eyJhIjogMX0", "W10", "WyIiLDAsMCwiIiwiIiwwLDAsMF0", "x" * 5000, "[" * 5000, 5, b"MC4w"],
)
def test_a_wrong_cursor_is_an_error(queries: Queries, wrong: Any) -> None:
    """It says what a cursor is, and nothing is listed by guessing."""
    with pytest.raises(ValueError, match=r"is not one of a page's next_cursor|belongs to a listing of other jobs"):
        queries.page(query(), limit=5, cursor=wrong)


def test_a_cursor_belongs_to_what_was_asked_for(queue: Driver, queries: Queries) -> None:
    """With other conditions it means nothing."""
    fill(queue, 5)
    page = queries.page(query(JobState.WAITING), limit=2)
    assert page.next_cursor is not None
    with pytest.raises(ValueError, match="belongs to a listing of other jobs"):
        queries.page(query(), limit=2, cursor=page.next_cursor)
    cut = page.next_cursor[:-3]
    with pytest.raises(ValueError, match="is not one of a page's next_cursor"):
        queries.page(query(JobState.WAITING), limit=2, cursor=cut)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each reply of find.lua."""
    found: list[int] = []

    def measured(client: Any, calls: Any) -> Any:
        replies = run_all(client, calls)
        for call, reply in zip(calls, replies, strict=True):
            if call.script.name == "find":
                found.append(sum(len(part) for parts in reply[-1] for part in parts if isinstance(part, bytes)))
        return replies

    monkeypatch.setattr(finder, "run_all", measured)
    return found


def test_large_payloads_are_read_a_few_at_a_time(queue: Driver, queries: Queries, sizes: list[int]) -> None:
    """Whatever the length of a page, and with or without a search in them."""
    message = b'Big\n{"token":"' + b"x" * (700 * KIB) + b'","end":"Rome"}'
    names = fill(queue, 20, prefix="small")
    for number in range(12):
        queue.add(f"big{number:02}", message=message)
        names.append(f"big{number:02}")
    names += fill(queue, 20, prefix="other")
    assert all_ids(queries, query(JobState.WAITING), 50) == names
    assert max(sizes) <= finder.STEP_BYTES + len(message) + 1000
    assert all_ids(queries, query(JobState.WAITING, args=(("end", "rome"),)), 50) == names[20:32]
    assert all_ids(queries, query(JobState.WAITING, texts=("nothing",)), 50) == []
    assert max(sizes) <= finder.STEP_BYTES + len(message) + 1000


def test_a_listing_can_cut_payloads(queue: Driver, queries: Queries, sizes: list[int]) -> None:
    """Longer ones are excerpts of their JSON; others are whole, as all are where they are searched."""
    queue.add("small")
    queue.add("big", message=b'Big\n{"text":"' + "é".encode() * 5000 + b'"}')
    small, big = queries.page(query(), limit=5, cut_bytes=100).records
    assert (small.payload, small.payload_excerpt) == ({"user_id": 7}, None)
    assert (big.name, big.payload) == ("Big", {})
    assert big.payload_excerpt == '{"text":"' + "é" * 44
    assert max(sizes) < 1000
    [found] = queries.page(query(texts=("ééé",)), limit=5, cut_bytes=100).records
    assert found.payload == {"text": "é" * 5000}


def test_results_are_read_a_few_at_a_time(queue: Driver, queries: Queries, sizes: list[int]) -> None:
    """They are a part of the state records."""
    names = [f"j{number:02}" for number in range(80)]
    queue.finish(*names, outcome=Completed(f'"{"x" * 60 * KIB}"'))
    assert sorted(all_ids(queries, query(JobState.COMPLETED), 100)) == names
    assert max(sizes) <= finder.STEP_BYTES + 100 * KIB


def test_a_search_ends_its_page_in_time(queue: Driver, queries: Queries) -> None:
    """With what was found until then, and a cursor that goes on; nothing is looked at twice."""
    names = fill(queue, 2600)
    queue.add("needle", message=b'Job\n{"user_id":42}')
    asked = query(JobState.WAITING, args=(("user_id", "42"),))
    pages = list(read(queries, asked, within_s=0))
    assert len(pages) > 5
    assert [ids(page.records) for page in pages if page.records] == [["needle"]]
    assert [page.scanned for page in pages] == sorted(page.scanned for page in pages)
    assert (pages[-1].scanned, pages[-1].total) == (len(names) + 1,) * 2
    [whole] = read(queries, asked, within_s=60)
    assert ids(whole.records) == ["needle"]


def test_a_job_without_its_payload_is_listed(queue: Driver, queries: Queries) -> None:
    """It was evicted, or deleted by hand: a search passes it over, a listing shows what there is."""
    queue.add("lost", "whole")
    queue.client.hdel(queue.keys["jobs"], "lost")
    assert all_ids(queries, query()) == ["lost", "whole"]
    assert all_ids(queries, query(names=("SendWelcomeEmail",))) == ["whole"]
    assert all_ids(queries, query(texts=("user",))) == ["whole"]
    queue.delete("lost")


@pytest.mark.parametrize(("size", "looked"), [(100, 64), (2 * KIB, 1)])
def test_the_time_of_a_step_is_looked_at_after_each_large_text(
    queue: Driver, queries: Queries, monkeypatch: pytest.MonkeyPatch, size: int, looked: int
) -> None:
    """To look for many texts in a large one takes milliseconds: dozens of those in one go would hold up Redis."""
    monkeypatch.setattr(finder, "STEP_S", 0.0)
    fill(queue, 100, message=b'Big\n{"text":"' + b"x" * size + b'"}')
    page = queries.page(query(JobState.WAITING, texts=("never",)), limit=7, within_s=0)
    assert (page.scanned, page.total) == (looked, 100)
