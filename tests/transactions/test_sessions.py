"""The ways in which a session ends a transaction, and dispatches from inside of SQLAlchemy's events."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from flask_sqlalchemy.track_modifications import models_committed
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from flask_queue.after_commit import KEY
from tests.transactions.conftest import Mail, MakeShop, Plain, Shop


@pytest.mark.parametrize("end", [lambda shop: shop.session.close(), lambda shop: shop.db.session.remove()])
def test_a_session_that_is_closed_without_commit(
    shop: Shop, log: Callable[[], list[str]], end: Callable[[Shop], None]
) -> None:
    """As at the end of a request: its jobs are dropped, and a warning says which, and what to do."""
    shop.session.execute(shop.db.select(shop.User))
    ids = [record.id for record in Mail.dispatch_many([{"number": number} for number in range(25)])]
    end(shop)
    assert shop.stored() == []
    (line,) = log()
    assert line.startswith(
        f"Dropped 25 jobs, as the database session was closed without COMMIT: {', '.join(ids[:20])} …"
    )
    assert "Commit after the dispatch, or dispatch with after_commit=False" in line


def test_a_request_that_fails_drops_its_jobs(shop: Shop, log: Callable[[], list[str]]) -> None:
    """One that commits sends them."""

    @shop.app.get("/<int:number>")
    def sign_up(number: int) -> str:
        shop.add(f"user {number}")
        Mail.dispatch(number)
        1 // number
        shop.session.commit()
        return "welcome"

    client = shop.app.test_client()
    statuses: list[int] = []
    # On a thread, where no context is open yet: each request has its own.
    thread = Thread(target=lambda: statuses.extend(client.get(f"/{number}").status_code for number in range(3)))
    thread.start()
    thread.join()
    assert statuses == [500, 200, 200]
    assert (shop.stored(), shop.names()) == ([1, 2], ["user 1", "user 2"])
    assert [line for line in log() if "closed without COMMIT" in line]


def test_begin_as_a_block(shop: Shop) -> None:
    """COMMIT at its end, ROLLBACK if it raises."""
    with shop.session.begin():
        Mail.dispatch(1)
    with pytest.raises(ZeroDivisionError), shop.session.begin():
        Mail.dispatch(1 // 0)
    assert shop.stored() == [1]


def test_a_flush_that_fails(shop: Shop, log: Callable[[], list[str]]) -> None:
    """It rolls back; what is dispatched before the session knows goes, too."""
    Mail.options(after_commit=False).dispatch(0)
    shop.add("Ada")
    Mail.dispatch(1)
    with pytest.raises(IntegrityError):
        shop.add("")
    Mail.dispatch(2)
    shop.session.rollback()
    shop.add("Grace")
    Mail.dispatch(3)
    shop.session.commit()
    assert (shop.stored(), shop.names()) == ([0, 3], ["Grace"])


def test_a_commit_that_fails(make_shop: MakeShop, postgres_server: Any) -> None:
    """A constraint that is checked at COMMIT alone: nothing is sent, whatever follows."""
    shop = make_shop(postgres_server.url)
    for number, end in enumerate([shop.session.rollback, shop.session.close]):
        shop.session.add(shop.User(name="Ada", friend=99))
        shop.session.flush()
        Mail.dispatch(number)
        with pytest.raises(IntegrityError):
            shop.session.commit()
        assert shop.stored() == []
        end()
        assert shop.stored() == []
    shop.add("Ada")
    Mail.dispatch(2)
    shop.session.commit()
    assert shop.stored() == [2]


def test_two_phase_commits(make_shop: MakeShop, postgres_server: Any) -> None:
    """Prepared is not committed."""
    shop = make_shop(postgres_server.url, session_options={"twophase": True})
    for number, end in enumerate([shop.session.commit, shop.session.rollback, shop.session.commit]):
        shop.add(f"user {number}")
        Mail.dispatch(number)
        shop.session.prepare()
        Mail.dispatch(number + 10)
        assert number not in shop.stored()
        end()
    assert (shop.stored(), shop.names()) == ([0, 10, 2, 12], ["user 0", "user 2"])


def test_the_row_is_there_when_a_receiver_hears_of_the_job(shop: Shop) -> None:
    """The session is free again by then: whoever is told of the dispatch can use it."""
    from flask_queue.signals import job_dispatched

    seen: list[list[str]] = []

    def receive(sender: Any, record: Any) -> None:
        seen.append(list(shop.session.scalars(shop.db.select(shop.User.name))))

    with job_dispatched.connected_to(receive):
        shop.add("Ada")
        Mail.dispatch(1)
        shop.session.commit()
    assert seen == [["Ada"]]


@pytest.mark.parametrize("whose", ["all sessions", "one session"])
@pytest.mark.parametrize("name", ["before_commit", "after_commit", "after_flush", "after_transaction_end"])
def test_a_dispatch_in_a_handler(shop: Shop, name: str, whose: str) -> None:
    """Of the session's events. It may be the first of the session, and is sent once."""
    pending: list[bool] = []

    def handle(session: Any, *arguments: Any) -> None:
        is_end = name != "after_transaction_end" or arguments[0].parent is None
        if not pending and is_end:
            pending.append(Mail.dispatch(1).pending_commit)

    event.listen(shop.db.session if whose == "all sessions" else shop.session, name, handle)
    shop.add("Ada")
    shop.session.commit()
    assert shop.stored() == [1]
    assert pending == [name != "after_transaction_end"]


def test_a_dispatch_in_a_handler_when_a_savepoint_is_released(shop: Shop) -> None:
    """It waits for the COMMIT, as those of the savepoint do."""
    event.listen(shop.session, "after_commit", lambda session: Mail.dispatch(int(session.in_nested_transaction())))
    shop.add("Ada")
    with shop.session.begin_nested():
        shop.add("Grace")
    assert shop.stored() == []
    shop.session.rollback()
    with shop.session.begin_nested():
        shop.add("Edsger")
    assert shop.stored() == []
    shop.session.commit()
    assert shop.stored() == [1, 0]


def test_a_handler_that_raises_after_commit(lite: Shop, log: Callable[[], list[str]]) -> None:
    """The COMMIT stands, and SQLAlchemy calls nobody else: the jobs are dropped, and a warning names them."""

    def fail(session: Any) -> None:
        raise LookupError

    event.listen(lite.db.session, "after_commit", fail)
    lite.add("Ada")
    record = Mail.dispatch(1)
    with pytest.raises(LookupError):
        lite.session.commit()
    lite.db.session.remove()
    assert (lite.stored(), lite.names()) == ([], ["Ada"])
    assert record.id in log()[0]


def test_a_bridge_from_models_committed(make_shop: MakeShop, database_url: str) -> None:
    """Flask-SQLAlchemy sends it inside of COMMIT; the setting for all jobs does not lose what it dispatches."""
    shop = make_shop(database_url, QUEUE_AFTER_COMMIT=True, SQLALCHEMY_TRACK_MODIFICATIONS=True)
    bridge = shop.queue.on(models_committed, Plain, lambda sender, changes: {"number": len(changes)})
    try:
        for _ in range(2):
            shop.session.add(shop.User(name=None))
            shop.session.commit()
    finally:
        bridge.disconnect()
    assert shop.stored() == [1, 1]


def test_sessions_are_let_go(lite: Shop) -> None:
    """Whatever became of their jobs, and however many there were."""
    sessions = []
    for end in ["commit", "rollback", "close"] * 3:
        lite.session.execute(lite.db.select(lite.User))
        Mail.dispatch(1)
        session = lite.session
        getattr(session, end)()
        assert session.info[KEY] == {}
        sessions.append(weakref.ref(session))
        del session
        lite.db.session.remove()
    gc.collect()
    assert [session() for session in sessions] == [None] * 9
    assert lite.stored() == [1, 1, 1]
