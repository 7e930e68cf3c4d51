"""Sending mail."""

from __future__ import annotations

import re
import smtplib
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from flask import current_app

from ..models import now

#: Seconds that the mail server may take for one answer.
TIMEOUT_S = 10
ADDRESS_LENGTH = 254
#: Source: what browsers accept in <input type="email">, in the HTML standard; ours wants a dot in the domain too.
ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether this is one plain address, which can stand in a header as it is."""
    if len(text) > ADDRESS_LENGTH or not ADDRESS.fullmatch(text):
        return False
    try:
        Address(addr_spec=text)
    except (MessageError, ValueError):
        return False
    return True


def address(name: str, email: str) -> Address:
    return Address(display_name=name, addr_spec=email)


def domain() -> str:
    """The domain that our mails come from."""
    return str(current_app.config["MAIL_FROM"]).rpartition("@")[2]


def send(mail: EmailMessage) -> None:
    """Hand a mail to the mail server; when this returns, the server has taken it."""
    mail["Date"] = format_datetime(now())
    host, port = current_app.config["MAIL_HOST"], current_app.config["MAIL_PORT"]
    # Without a name of our own, smtplib asks the name server for this host's, which can take long.
    with smtplib.SMTP(host, port, local_hostname=domain(), timeout=TIMEOUT_S) as server:
        server.send_message(mail)
