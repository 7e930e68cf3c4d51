"""The database: who signed up, and what they asked for.

Each row that stands for work has a `…_at` column, which stays empty until the work is done. The services use it to skip
work that was done before, and `dispatch-missing` uses it to find work whose job never reached the queue.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable


class Base(DeclarativeBase):
    # Job ids are made of row ids (`welcome-7`), so SQLite must never give the id of a deleted row to a new one.
    __table_args__: tuple[Any, ...] = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)


# Models derive from our Base, which type checkers understand, and share its tables with the extension.
db = SQLAlchemy(metadata=Base.metadata)


def now() -> datetime:
    """The current time, in UTC like every time in the database."""
    return datetime.now(UTC)


class User(Base):
    __tablename__ = "user"

    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    welcomed_at: Mapped[datetime | None]
    #: Operators alone have a password: they may see the dashboard.
    is_admin: Mapped[bool] = mapped_column(default=False)
    password_hash: Mapped[str | None]


class Upload(Base):
    """An image; `folder` holds the original and its thumbnails."""

    __tablename__ = "upload"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    filename: Mapped[str]
    folder: Mapped[str]
    resized_at: Mapped[datetime | None]


class ContactImport(Base):
    """A CSV file of contacts; `folder` holds it."""

    __tablename__ = "contact_import"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    filename: Mapped[str]
    folder: Mapped[str]
    imported_at: Mapped[datetime | None]


class Contact(Base):
    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("user_id", "email"), *Base.__table_args__)

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str]
    email: Mapped[str]


class Delivery(Base):
    """An event that the partner's system is told of."""

    __tablename__ = "delivery"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    event: Mapped[str]
    delivered_at: Mapped[datetime | None]


def create_tables() -> None:
    """Make the tables that are missing; the web server and the workers may do so at the same moment."""
    for table in Base.metadata.sorted_tables:
        db.session.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            db.session.execute(CreateIndex(index, if_not_exists=True))
    db.session.commit()
