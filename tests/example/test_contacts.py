"""Importing contacts."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from example_app.models import Contact, ContactImport, User, db
from example_app.services import accounts, contacts
from example_app.services.errors import Gone, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable


def accept(user: User, content: bytes) -> ContactImport:
    return contacts.accept(user, FileStorage(io.BytesIO(content), "contacts.csv"))


def run(
    contact_import: ContactImport, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[dict[str, int], list[str]]:
    """Import, and return the result and what was logged."""
    log: list[str] = []
    return contacts.run_import(contact_import.id, progress=progress, log=log.append), log


def addresses() -> list[str]:
    return list(db.session.scalars(select(Contact.email).order_by(Contact.id)))


def many(count: int) -> bytes:
    return "\n".join(["name,email", *(f"P{number},p{number}@example.org" for number in range(count))]).encode()


def test_good_rows_become_contacts_and_bad_ones_are_logged(user: User) -> None:
    """Columns may stand in any order and case, with a byte order mark, quotes and others between them."""
    content = '\ufeffEmail, Note ,NAME\r\nBob@Example.org,"a\r\nb",Bob\r\nnobody,,\r\ncyd@example.org,,"C, D"\r\n'
    contact_import = accept(user, content.encode())
    result, log = run(contact_import)

    assert result == {"good": 2, "bad": 1}
    assert log == ["row 2 skipped: 'nobody' is not an e-mail address"]
    assert addresses() == ["bob@example.org", "cyd@example.org"]
    assert contact_import.imported_at is not None


def test_a_second_run_adds_nothing_and_says_the_same(user: User) -> None:
    """A job that ran before a crash may run again: contacts are not doubled, the result is the same."""
    contact_import = accept(user, b"name,email\nBob,bob@example.org\nBob again,bob@example.org")
    first = run(contact_import)

    assert run(contact_import) == first
    assert addresses() == ["bob@example.org"]


def test_a_run_that_was_cut_short_is_finished_by_the_next(user: User) -> None:
    """What one run committed before it died stays, and the next adds the rest."""

    def crash(done: int, total: int) -> None:
        raise KeyboardInterrupt

    contact_import = accept(user, many(contacts.BATCH + 1))
    with pytest.raises(KeyboardInterrupt):
        run(contact_import, crash)
    assert len(addresses()) == contacts.BATCH
    assert contact_import.imported_at is None

    run(contact_import)
    assert len(addresses()) == contacts.BATCH + 1


def test_progress_counts_rows_up_to_all(user: User) -> None:
    """Progress is told once for each batch, in rows."""
    told: list[tuple[int, int]] = []
    run(accept(user, many(250)), lambda done, total: told.append((done, total)))

    assert told == [(100, 250), (200, 250), (250, 250)]


def test_users_have_contacts_of_their_own(user: User) -> None:
    """The same address may be a contact of two users."""
    other = accounts.sign_up("Bob", "bob@example.org")
    for owner in (user, other):
        run(accept(owner, b"name,email\nCyd,cyd@example.org"))

    assert (contacts.count(user), contacts.count(other)) == (1, 1)


@pytest.mark.parametrize(
    "content", [b"", b"name,email\n", b"name\nBob", b"\xff\xfe", b"name,email\n" + b"a" * 200_000, b"name,email\0\n\0"]
)
def test_what_is_no_list_of_contacts_is_refused_at_upload(user: User, content: bytes) -> None:
    """A file without the two columns or without rows, or that is no CSV in UTF-8, is refused with the reason."""
    with pytest.raises(Invalid, match="CSV"):
        accept(user, content)


def test_a_deleted_import_is_gone(context: None) -> None:
    """A job whose row was deleted ends with an error of its own, which the job does not retry."""
    with pytest.raises(Gone, match="import 7"):
        contacts.run_import(7, progress=lambda done, total: None, log=print)
