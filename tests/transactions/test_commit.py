"""COMMIT sends, ROLLBACK drops; what is checked and decided when."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from flask import Flask

from flask_queue import (
    ConfigError,
    FlaskQueue,
    InvalidPayload,
    Job,
    JobNotFound,
    JobNotRegistered,
    JobState,
    PayloadTooLarge,
    UnknownQueue,
)
from tests.transactions.conftest import Letter, Mail, MakeShop, Plain, Shop


class Bulky(Job):
    """With a payload that the caller may go on changing."""

    after_commit = True

    @staticmethod
    def tags(items: list[int]) -> list[str]:
        return [str(item) for item in items]

    def handle(self, items: list[int]) -> None: ...


class Sync(Job):
    after_commit = True
    unique_for_s = 60

    def handle(self, number: int) -> None: ...


def test_commit_sends(shop: Shop) -> None:
    """The caller has the record, with its id, at once; the job is there from COMMIT on."""
    shop.add("Ada")
    record = Mail.dispatch(7)
    assert (record.pending_commit, record.state, record.payload) == (True, JobState.WAITING, {"number": 7})
    assert record.created_at is None
    with pytest.raises(JobNotFound):
        shop.queue.get(record.id)
    assert shop.names() == []
    shop.session.commit()
    stored = shop.queue.get(record.id)
    assert (stored.id, stored.pending_commit, stored.payload) == (record.id, False, {"number": 7})
    assert shop.names() == ["Ada"]


def test_rollback_drops(shop: Shop, log: Callable[[], list[str]]) -> None:
    """Without a word; the next transaction is another one."""
    shop.add("Ada")
    record = Mail.dispatch(1)
    shop.session.rollback()
    shop.add("Grace")
    Mail.dispatch(2)
    shop.session.commit()
    assert (shop.stored(), shop.names()) == ([2], ["Grace"])
    with pytest.raises(JobNotFound):
        shop.queue.get(record.id)
    assert log() == []


def test_without_a_transaction_it_goes_at_once(lite: Shop) -> None:
    """Before the session is used, and after its COMMIT; to dispatch makes no session."""
    assert not Mail.dispatch(1).pending_commit
    assert not lite.db.session.registry.has()
    lite.add("Ada")
    lite.session.commit()
    assert not Mail.dispatch(2).pending_commit
    assert lite.stored() == [1, 2]


def test_an_object_that_was_added_makes_a_transaction(lite: Shop) -> None:
    """Also before anything is sent to the database."""
    lite.session.add(lite.User(name="Ada"))
    assert Mail.dispatch(1).pending_commit
    lite.session.commit()
    assert (lite.stored(), lite.names()) == ([1], ["Ada"])


def test_one_session_commits_again_and_again(shop: Shop) -> None:
    """Each COMMIT sends what was dispatched since the one before, once."""
    for number in range(3):
        shop.add(f"user {number}")
        Mail.dispatch(number)
        assert shop.stored() == list(range(number))
        shop.session.commit()
        assert shop.stored() == list(range(number + 1))


@pytest.mark.parametrize(
    ("option", "attribute", "setting", "waits"),
    [
        (None, None, False, False),
        (None, None, True, True),
        (None, False, True, False),
        (None, True, False, True),
        (False, True, True, False),
        (True, False, False, True),
    ],
)
def test_the_narrowest_level_wins(
    make_shop: MakeShop, sqlite_url: str, option: bool | None, attribute: bool | None, setting: bool, waits: bool
) -> None:
    """The dispatch over the class, the class over the app."""

    class Each(Job):
        after_commit = attribute

        def handle(self, number: int) -> None: ...

    shop = make_shop(sqlite_url, Each, QUEUE_AFTER_COMMIT=setting)
    shop.add("Ada")
    records = [Each.options(after_commit=option).dispatch(1)]
    records += Each.options(after_commit=option).dispatch_many([{"number": 2}, {"number": 3}])
    assert [record.pending_commit for record in records] == [waits] * 3
    assert shop.stored() == ([] if waits else [1, 2, 3])
    shop.session.commit()
    assert shop.stored() == [1, 2, 3]


def test_everything_is_checked_at_once(make_shop: MakeShop, sqlite_url: str) -> None:
    """Where the mistake is made, and not at COMMIT; then none of a bulk dispatch is sent."""
    shop = make_shop(sqlite_url, Bulky, Mail, QUEUE_MAX_PAYLOAD_BYTES=100)
    shop.add("Ada")
    untyped: Any = Mail
    with pytest.raises(InvalidPayload):
        untyped.dispatch(number={1})
    with pytest.raises(InvalidPayload):
        untyped.dispatch_many([{"number": 1}, {}])
    with pytest.raises(PayloadTooLarge):
        Bulky.dispatch([1] * 60)
    with pytest.raises(InvalidPayload, match="tags"):
        Bulky.dispatch(list(range(21)))
    with pytest.raises(JobNotRegistered):
        Letter.dispatch(1)
    with pytest.raises(UnknownQueue):
        Mail.options(queue_name="nowhere").dispatch(1)
    shop.session.commit()
    assert shop.queue.counts()["default"]["waiting"] == 0


def test_the_payload_is_that_of_the_dispatch(make_shop: MakeShop, sqlite_url: str) -> None:
    """What the caller does to a list or dict until COMMIT changes neither payload nor tags."""
    shop = make_shop(sqlite_url, Bulky)
    items = [1, 2]
    shop.add("Ada")
    record = Bulky.dispatch(items)
    items.append(3)
    shop.session.commit()
    stored = shop.queue.get(record.id)
    assert (stored.payload, stored.tags) == ({"items": [1, 2]}, ("1", "2"))


def test_options_hold_at_commit(lite: Shop) -> None:
    """Id, delay, priority, retries and queue; a delay counts from COMMIT."""
    lite.add("Ada")
    options = Mail.options(job_id="mine", delay_s=3600, priority=5, max_retries=7, queue_name="letters")
    record = options.dispatch(1)
    assert (record.id, record.state, record.priority, record.max_retries) == ("letters:mine", "delayed", 5, 7)
    lite.session.commit()
    stored = lite.queue.get(record.id)
    assert (stored.state, stored.priority, stored.max_retries) == ("delayed", 5, 7)
    assert stored.scheduled_at is not None
    assert stored.created_at is not None
    assert (stored.scheduled_at - stored.created_at).total_seconds() == 3600


def test_many_jobs_go_in_order_and_in_few_scripts(lite: Shop) -> None:
    """Mixed dispatches of several queues; inside each queue the order of dispatch."""
    lite.add("Ada")
    for number in range(10):
        Mail.dispatch(number)
        Letter.dispatch_many([{"number": 2 * number}, {"number": 2 * number + 1}])
    before = _scripts(lite)
    lite.session.commit()
    assert _scripts(lite) - before == 2
    assert (lite.stored(), lite.stored("letters")) == (list(range(10)), list(range(20)))


def test_uniqueness_and_ids_are_decided_at_commit(make_shop: MakeShop, sqlite_url: str) -> None:
    """Two dispatches of a transaction both get a record; one job is stored of each key and id."""
    shop = make_shop(sqlite_url, Sync, Mail)
    shop.add("Ada")
    pending = [Sync.dispatch(1), Sync.dispatch(1), *(Mail.options(job_id="once").dispatch(2) for _ in range(2))]
    assert not any(record.deduplicated for record in pending)
    shop.session.commit()
    assert shop.stored() == [1, 2]
    assert shop.queue.get(pending[0].id).name == "Sync"
    assert Sync.dispatch(1).deduplicated


def test_without_flask_sqlalchemy(redis_url: str) -> None:
    """The setting alone does no harm; what asks for a COMMIT is told what to do, and what does not is sent."""
    app = Flask("bare")
    app.config.update(QUEUE_REDIS_URL=redis_url, QUEUE_AFTER_COMMIT=True)
    queue = FlaskQueue(app, jobs=[Mail, Plain])
    with app.app_context():
        for dispatch in (lambda: Mail.dispatch(1), Plain.dispatch, lambda: Plain.dispatch_many([{}])):
            with pytest.raises(ConfigError, match=r"needs Flask-SQLAlchemy.* 'bare' .*db\.init_app\(app\)"):
                dispatch()
        Plain.options(after_commit=False).dispatch()
        assert queue.counts()["default"]["waiting"] == 1
        queue.broker.close()


def test_an_operators_duplicate_goes_at_once(make_shop: MakeShop, sqlite_url: str) -> None:
    """A page that has read who is signed in commits nothing."""
    shop = make_shop(sqlite_url, QUEUE_AFTER_COMMIT=True)
    record = Plain.dispatch(1)
    shop.session.execute(shop.db.select(shop.User))
    assert not shop.queue.duplicate(record.id, number=2).pending_commit
    assert shop.stored() == [1, 2]


def test_two_apps_at_the_same_time(make_shop: MakeShop, sqlite_url: str) -> None:
    """Each dispatch belongs to the session, and goes to the queue, of the app that is current."""
    outer = make_shop(sqlite_url, QUEUE_PREFIX="outer")
    outer.add("Ada")
    Mail.dispatch(1)
    outer.session.commit()
    outer.add("Grace")
    Mail.dispatch(2)
    inner = make_shop(sqlite_url.replace("shop.db", "other.db"), QUEUE_PREFIX="inner")
    inner.add("Edsger")
    Mail.dispatch(3)
    inner.session.commit()
    assert inner.stored() == [3]
    with outer.app.app_context():
        assert outer.stored() == [1]


def test_another_threads_commit_is_none_of_ours(shop: Shop) -> None:
    """A session belongs to a context, of which each thread has its own."""
    shop.session.execute(shop.db.select(shop.User))
    Mail.dispatch(1)

    def other() -> None:
        with shop.app.app_context():
            shop.add("Grace")
            Mail.dispatch(2)
            shop.session.commit()

    thread = Thread(target=other)
    thread.start()
    thread.join()
    assert shop.stored() == [2]
    shop.session.commit()
    assert shop.stored() == [2, 1]


def _scripts(shop: Shop) -> int:
    stats: Any = shop.queue.broker.store.client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))
