"""Telling the partner's system what happened here."""

from __future__ import annotations

import json
import re
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from flask import current_app

from ..models import Delivery, User, db, now
from .errors import Gone, Invalid

#: Seconds that the partner may take to answer.
TIMEOUT_S = 10
EVENT = re.compile(r"[a-z_]{1,40}(\.[a-z_]{1,40}){0,3}")
#: Client errors that pass: time-out, too early, too many.
PASSING = {408, 425, 429}


class DeliveryFailed(Exception):
    """The partner could not be reached or had a fault: it may work later."""


class DeliveryRefused(Exception):
    """The partner does not want this request, and will not want it later."""


def announce(user: User, event: str) -> Delivery:
    """Commit an event that the partner is to be told of."""
    if not EVENT.fullmatch(event):
        raise Invalid("event", "Give an event such as account.updated: small letters, dots between words.")
    delivery = Delivery(user_id=user.id, event=event)
    db.session.add(delivery)
    db.session.commit()
    return delivery


def deliver(delivery_id: int) -> None:
    """Post an event to the partner, once.

    A crash between the answer and our COMMIT posts it again. `Webhook-Id` is then the same, for the partner to see that
    it knows this one.
    """
    delivery = db.session.get(Delivery, delivery_id)
    if delivery is None:
        raise Gone("delivery", delivery_id)
    if delivery.delivered_at is not None:
        return
    _post(f"delivery-{delivery.id}", {"event": delivery.event, "user_id": delivery.user_id})
    delivery.delivered_at = now()
    db.session.commit()


def _post(webhook_id: str, body: dict[str, object]) -> None:
    url = current_app.config["WEBHOOK_URL"]
    headers = {"Content-Type": "application/json", "Webhook-Id": webhook_id}
    request = Request(url, data=json.dumps(body).encode(), headers=headers, method="POST")
    try:
        urlopen(request, timeout=TIMEOUT_S).close()
    except HTTPError as error:
        with error:
            message = f"{url} answered {error.code} {error.reason}"
            is_final = 400 <= error.code < 500 and error.code not in PASSING
        raise (DeliveryRefused if is_final else DeliveryFailed)(message) from None
    except OSError as error:
        raise DeliveryFailed(f"{url} cannot be reached: {error}") from error
