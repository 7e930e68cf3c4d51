"""Signing up, the welcome that follows, and operators."""

from __future__ import annotations

import secrets
from email.message import EmailMessage

from flask import current_app, render_template
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash, generate_password_hash

from ..models import User, db, now
from . import mailer
from .errors import Gone, Invalid

NAME_LENGTH = 80
PASSWORD_LENGTH = 10
#: The hash of a password that nobody has.
_NOBODY = generate_password_hash(secrets.token_hex())


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


def make_operator(email: str, password: str) -> User:
    """Create and commit a user who may see the dashboard, or give one who is there the right and this password."""
    if len(password) < PASSWORD_LENGTH:
        raise Invalid("password", f"Give a password of at least {PASSWORD_LENGTH} characters.")
    user = _user(email) or sign_up("Operator", email)
    user.is_admin, user.password_hash = True, generate_password_hash(password)
    user.welcomed_at = user.welcomed_at or now()
    db.session.commit()
    return user


def authenticate(email: str, password: str) -> User:
    """The operator with this address, if this is the password."""
    user = _user(email)
    # Whether the address is known cannot be told by the time that it takes.
    is_right = check_password_hash((user and user.password_hash) or _NOBODY, password)
    if user is None or user.password_hash is None or not is_right:
        raise Invalid("password", "This is not the address and the password of an operator.")
    return user


def _user(email: str) -> User | None:
    return db.session.scalar(select(User).where(User.email == email.strip().lower()))


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
