"""Signing up, and the welcome mail."""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING

import pytest

from example_app.models import db
from example_app.services import accounts, mailer
from example_app.services.errors import Gone, Invalid

if TYPE_CHECKING:
    from flask import Flask

    from example_app.demo.mailbox import Mailbox
    from example_app.models import User


@pytest.mark.parametrize("name", ["", "  ", "a" * 81, "two\nlines"])
def test_sign_up_refuses_a_name_that_cannot_stand_in_a_mail(context: None, name: str) -> None:
    """A name is one line of 1 to 80 printable characters."""
    with pytest.raises(Invalid, match="name"):
        accounts.sign_up(name, "ada@example.org")


@pytest.mark.parametrize(
    "address", ["", "ada", "a@b", "a@b.c, d@e.f", "a..b@c.de", "a b@c.de", "é@c.de", f"{'a' * 250}@b.cd"]
)
def test_sign_up_refuses_what_is_not_one_plain_address(context: None, address: str) -> None:
    """What is no address, or more than one, is refused before it reaches a mail server."""
    with pytest.raises(Invalid, match="email"):
        accounts.sign_up("Ada", address)


def test_sign_up_refuses_an_address_twice(user: User) -> None:
    """One address has one account, whatever the case of its letters."""
    with pytest.raises(Invalid, match="already"):
        accounts.sign_up("Ada", user.email.upper())


def test_welcome_is_mailed_to_the_user(user: User, mailbox: Mailbox) -> None:
    """The mail carries name, address and the id that makes a repeat recognisable."""
    user.name = 'Zoë "Z" Ö.'
    accounts.send_welcome(user.id)

    (path,) = mailbox.mails()
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert mail["To"] == str(mailer.address(user.name, user.email))
    assert mail["Message-ID"] == f"<welcome-{user.id}@example.org>"
    assert user.name in mail.get_body().get_content()  # type: ignore[union-attr]


def test_a_second_run_mails_nothing(user: User, mailbox: Mailbox) -> None:
    """A job that ran before a crash may run again, and the user must not notice."""
    accounts.send_welcome(user.id)
    db.session.expire_all()
    accounts.send_welcome(user.id)

    assert len(mailbox.mails()) == 1


def test_a_mail_that_was_not_taken_is_not_marked_as_sent(user: User, app: Flask) -> None:
    """While the mail server is away the run fails, and the next one mails."""
    app.config["MAIL_PORT"] = 1
    with pytest.raises(OSError, match="refused"):
        accounts.send_welcome(user.id)

    assert user.welcomed_at is None


def test_a_deleted_user_is_gone(context: None) -> None:
    """A job whose row was deleted ends with an error of its own, which the job does not retry."""
    with pytest.raises(Gone, match="user 7"):
        accounts.send_welcome(7)
