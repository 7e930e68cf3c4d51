"""Contacts that users bring along as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert
from werkzeug.datastructures import FileStorage

from ..models import Contact, ContactImport, User, db, now
from . import files, mailer
from .errors import Gone, Invalid

#: Rows a transaction: few enough that other writers need not wait, enough that the COMMITs don't dominate.
BATCH = 100


def accept(user: User, file: FileStorage) -> ContactImport:
    """Check and keep an uploaded CSV file, and commit a row for it."""
    _parse(file.stream.read())
    found = ContactImport(user_id=user.id, filename=files.shown_name(file), folder=files.keep(file, "contacts.csv"))
    db.session.add(found)
    db.session.commit()
    return found


def run_import(import_id: int, *, progress: Callable[[int, int], None], log: Callable[[str], None]) -> dict[str, int]:
    """Add the contacts of a file to its owner's; returns how many rows were good and bad.

    Addresses that the owner has already are left alone, so a second run, or the rest of one that was cut short, adds
    nothing twice.
    """
    contact_import = db.session.get(ContactImport, import_id)
    if contact_import is None:
        raise Gone("import", import_id)
    rows = _parse(files.path(contact_import.folder, "contacts.csv").read_bytes())
    good = 0
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        good += _add(contact_import.user_id, batch, first=start + 1, log=log)
        progress(start + len(batch), len(rows))
    contact_import.imported_at = now()
    db.session.commit()
    return {"good": good, "bad": len(rows) - good}


def count(user: User) -> int:
    return db.session.scalar(select(func.count()).where(Contact.user_id == user.id)) or 0


def _parse(content: bytes) -> list[tuple[str, str]]:
    """The names and addresses of a CSV file, one pair for each row."""
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), restval="")
        rows = [{str(key).strip().lower(): value for key, value in row.items()} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid("file", f"This is no CSV text in UTF-8 ({error}).") from None
    if not rows or not {"name", "email"} <= rows[0].keys():
        raise Invalid("file", "The CSV file needs a first line with the columns name and email, and rows below it.")
    return [(row["name"].strip(), row["email"].strip().lower()) for row in rows]


def _add(user_id: int, rows: Sequence[tuple[str, str]], *, first: int, log: Callable[[str], None]) -> int:
    """Add one batch of rows and commit it; returns how many were good."""
    good = 0
    for number, (name, email) in enumerate(rows, start=first):
        if not mailer.is_address(email):
            log(f"row {number} skipped: {email!r} is not an e-mail address")
            continue
        contact = insert(Contact).values(user_id=user_id, name=name, email=email)
        db.session.execute(contact.on_conflict_do_nothing())
        good += 1
    db.session.commit()
    return good
