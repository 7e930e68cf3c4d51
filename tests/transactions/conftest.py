"""An app with a database and a queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_queue import FlaskQueue, Job, Queue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Mail(Job):
    """The job of most of these tests."""

    after_commit = True

    def handle(self, number: int) -> None: ...


class Letter(Job):
    """On another queue."""

    queue_name = "letters"
    after_commit = True

    def handle(self, number: int, secret: str = "") -> None: ...


class Plain(Job):
    """Says nothing of transactions."""

    def handle(self, number: int = 0) -> None: ...


class Shop:
    """One app inside its context, with a table of users, whose names are not empty."""

    def __init__(
        self,
        redis_url: str,
        database_url: str,
        *jobs: type[Job],
        session_options: dict[str, Any] | None = None,
        **config: Any,
    ) -> None:
        self.app = Flask("shop")
        self.app.config.update({"QUEUE_REDIS_URL": redis_url, "SQLALCHEMY_DATABASE_URI": database_url, **config})
        queues = [Queue("default"), Queue("letters")]
        # The queue first: extensions may be initialised in any order.
        self.queue = FlaskQueue(self.app, queues=queues, jobs=jobs or (Mail, Letter, Plain))
        self.db: SQLAlchemy = SQLAlchemy(self.app, session_options=session_options)
        self.User = _make_user(self.db)

    @property
    def session(self) -> Session:
        """The session of the current context."""
        return self.db.session()

    def add(self, name: str) -> None:
        """Insert a user, and send that to the database."""
        self.session.add(self.User(name=name))
        self.session.flush()

    def names(self) -> list[str]:
        """The users that others see."""
        with self.db.engine.connect() as connection:
            return list(connection.scalars(self.db.select(self.User.name).order_by(self.User.id)))

    def stored(self, queue: str = "default") -> list[int]:
        """The numbers of the jobs that are waiting, the next to run first."""
        return [record.payload["number"] for record in self.queue.jobs(state="waiting", queue=queue).records]

    def begin(self) -> None:
        """Drop and make the table."""
        self.db.drop_all()
        self.db.create_all()

    def end(self) -> None:
        """Leave nothing."""
        self.db.session.remove()
        self.db.drop_all()
        self.db.engine.dispose()
        self.queue.broker.close()


def _make_user(db: SQLAlchemy) -> Any:
    class User(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80), db.CheckConstraint("name <> ''"))
        welcomed_at = db.Column(db.DateTime)
        # A user who refers to nobody is found out at COMMIT alone.
        friend = db.Column(db.ForeignKey("user.id", deferrable=True, initially="DEFERRED"))

    return User


MakeShop = Callable[..., Shop]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("postgres_server").url)


@pytest.fixture
def make_shop(redis_url: str) -> Iterator[MakeShop]:
    """Makes shops on the shared Redis; `redis_url` is another one."""
    with ExitStack() as contexts:

        def make(database_url: str, *jobs: type[Job], redis_url: str = redis_url, **options: Any) -> Shop:
            shop = Shop(redis_url, database_url, *jobs, **options)
            contexts.enter_context(shop.app.app_context())
            contexts.callback(shop.end)
            shop.begin()
            return shop

        yield make


@pytest.fixture
def shop(make_shop: MakeShop, database_url: str) -> Shop:
    """A shop on each kind of database."""
    return make_shop(database_url)


@pytest.fixture
def lite(make_shop: MakeShop, sqlite_url: str) -> Shop:
    """A shop on SQLite, where the kind of database makes no difference."""
    return make_shop(sqlite_url)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives the lines of flask-queue's log so far, warnings and errors."""
    caplog.set_level(logging.WARNING, logger="flask_queue")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("flask_queue")]
