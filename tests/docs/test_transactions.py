"""What the page about transactions shows works as it stands there."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

from flask_sqlalchemy import SQLAlchemy

from flask_queue import Job, JobRecord
from tests.transactions.conftest import MakeShop, Shop, make_shop, sqlite_url

__all__ = ["make_shop", "sqlite_url"]  # fixtures

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "transactions.md").read_text()
PROGRAMS: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(shop: Shop) -> dict[str, Any]:
    """What the programs of the page define, in a shop whose users can be welcomed."""
    db: SQLAlchemy = shop.db
    told: list[str] = []
    defined: dict[str, Any] = {"app": shop.app, "db": db, "User": shop.User, "Job": Job, "JobRecord": JobRecord}
    defined |= {"told": told, "deliver_to": lambda user: told.append(user.name)}
    for program in PROGRAMS:
        exec(compile(program, "transactions.md", "exec", dont_inherit=True), defined)
    shop.queue.register(defined["SendWelcomeEmail"])
    return defined


def test_sign_up(make_shop: MakeShop, sqlite_url: str) -> None:
    """Row and job, or neither."""
    shop = make_shop(sqlite_url)
    page = run(shop)
    record = page["sign_up"]("Ada")
    assert record.pending_commit
    assert shop.queue.get(record.id).payload == {"user_id": 1}
    page["SendWelcomeEmail"]().handle(user_id=1)
    assert page["told"] == ["Ada"]


def test_what_a_crash_lost_is_dispatched_later(make_shop: MakeShop, sqlite_url: str) -> None:
    """By a process that is killed once it has committed; the command finds the row, and dispatches its job once."""
    shop = make_shop(sqlite_url)
    page = run(shop)
    child = os.fork()
    if not child:
        _sign_up_and_die(shop, page)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert shop.names() == ["Ada"]
    assert shop.queue.counts()["default"]["waiting"] == 0
    for _ in range(2):
        assert shop.app.test_cli_runner().invoke(args=["dispatch-missing"]).exit_code == 0
        assert [record.id for record in shop.queue.jobs().records] == ["default:welcome-1"]


def _sign_up_and_die(shop: Shop, page: dict[str, Any]) -> None:
    """Between the COMMIT and the dispatch that follows from it."""

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        shop.queue.broker.dispatch = die  # type: ignore[method-assign, assignment]
        page["sign_up"]("Ada")
    finally:
        os._exit(1)
