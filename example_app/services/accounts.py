"""Signing up, and the welcome that follows."""

from __future__ import annotations

from email.message import EmailMessage

from flask import current_app, render_template
from sqlalchemy.exc import IntegrityError

from ..models import User, db, now
from . import mailer
from .errors import Gone, Invalid

NAME_LENGTH = 80


def sign_up(name: str, email: str) -> User:
    """Create and commit a user; the welcome mail is for the caller to start."""
    name, email = name.strip(), email.strip().lower()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        raise Invalid("name", f"Give a name of 1 to {NAME_LENGTH} printable characters.")
    if not mailer.is_address(email):
        raise Invalid("email", "This is not an e-mail address.")
    user = User(name=name, email=email)
    db.session.add(user)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise Invalid("email", "Somebody signed up with this address already.") from None
    return user


def send_welcome(user_id: int) -> None:
    """Mail the welcome, once.

    Jobs run at least once: after a crash, one that had finished may run again. `welcomed_at` makes the second run do
    nothing. A crash between the mail server's yes and our COMMIT still sends the mail twice; both then have the same
    Message-ID, so that most mailboxes show one.
    """
    user = db.session.get(User, user_id)
    if user is None:
        raise Gone("user", user_id)
    if user.welcomed_at is not None:
        return
    mailer.send(_welcome_mail(user))
    user.welcomed_at = now()
    db.session.commit()


def _welcome_mail(user: User) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = f"Welcome, {user.name}"
    mail["From"] = current_app.config["MAIL_FROM"]
    mail["To"] = mailer.address(user.name, user.email)
    mail["Message-ID"] = f"<welcome-{user.id}@{mailer.domain()}>"
    mail.set_content(render_template("mail/welcome.txt", user=user))
    return mail
