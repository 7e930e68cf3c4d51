"""Jobs of a savepoint go with it, and with all that it is part of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.exc import IntegrityError

from flask_queue.after_commit import KEY
from tests.transactions.conftest import Mail, Shop


def test_a_released_savepoint_waits_for_the_commit(shop: Shop) -> None:
    """Its release is no COMMIT; its jobs keep their place in the order of dispatch."""
    shop.add("Ada")
    Mail.dispatch(1)
    with shop.session.begin_nested():
        shop.add("Grace")
        Mail.dispatch(2)
    Mail.dispatch(3)
    assert shop.stored() == []
    shop.session.commit()
    assert (shop.stored(), shop.names()) == ([1, 2, 3], ["Ada", "Grace"])


def test_a_savepoint_that_is_rolled_back_takes_its_jobs_alone(shop: Shop, log: Callable[[], list[str]]) -> None:
    """What was dispatched before and after it in the transaction is sent."""
    shop.add("Ada")
    Mail.dispatch(1)
    savepoint = shop.session.begin_nested()
    shop.add("Grace")
    Mail.dispatch(2)
    savepoint.rollback()
    Mail.dispatch(3)
    shop.session.commit()
    assert (shop.stored(), shop.names()) == ([1, 3], ["Ada"])
    assert log() == []


def test_an_exception_rolls_a_savepoint_back(shop: Shop) -> None:
    """As does a row that the database refuses, while the transaction goes on."""
    shop.add("Ada")
    Mail.dispatch(1)
    savepoint = shop.session.begin_nested()
    Mail.dispatch(2)
    with pytest.raises(IntegrityError), savepoint:
        shop.add("")
    shop.session.commit()
    assert (shop.stored(), shop.names()) == ([1], ["Ada"])


def test_savepoints_in_savepoints(shop: Shop) -> None:
    """The inner one was released, and goes with the outer one that is rolled back."""
    shop.add("Ada")
    with shop.session.begin_nested():
        Mail.dispatch(1)
        outer = shop.session.begin_nested()
        Mail.dispatch(2)
        with shop.session.begin_nested():
            Mail.dispatch(3)
        outer.rollback()
        with shop.session.begin_nested():
            Mail.dispatch(4)
    shop.session.commit()
    assert shop.stored() == [1, 4]


def test_rollback_of_the_transaction_takes_released_savepoints_too(shop: Shop) -> None:
    """Released is not committed."""
    shop.add("Ada")
    with shop.session.begin_nested():
        Mail.dispatch(1)
    shop.session.rollback()
    shop.add("Grace")
    shop.session.commit()
    assert (shop.stored(), shop.names()) == ([], ["Grace"])


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_a_savepoint_that_was_left_open(shop: Shop, end: str) -> None:
    """It ends as the session does, and the session keeps nothing."""
    session = shop.session
    shop.add("Ada")
    Mail.dispatch(1)
    session.begin_nested()
    session.begin_nested()
    Mail.dispatch(2)
    getattr(session, end)()
    assert shop.stored() == ([1, 2] if end == "commit" else [])
    assert session.info[KEY] == {}
