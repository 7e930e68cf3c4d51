"""Telling the partner."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from example_app.demo.partner import Partner
from example_app.services import webhooks
from example_app.services.errors import Gone, Invalid
from example_app.services.webhooks import DeliveryFailed, DeliveryRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from example_app.models import User


class Recorder(BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers with the status in the path."""

    received: list[tuple[str | None, dict[str, object]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.received.append((self.headers["Webhook-Id"], body))
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def recorder() -> Iterator[tuple[str, type[Recorder]]]:
    """A partner's address and what it received."""
    handler = type("Handler", (Recorder,), {"received": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()


def test_the_partner_gets_the_event_under_an_id_that_stays(
    app: Flask, user: User, recorder: tuple[str, type[Recorder]]
) -> None:
    """A repeat of one delivery carries the same Webhook-Id, so that the partner can know it."""
    address, partner = recorder
    app.config["WEBHOOK_URL"] = f"{address}/200"
    delivery = webhooks.announce(user, "account.updated")
    webhooks.deliver(delivery.id)
    delivery.delivered_at = None  # as if the process had died before its COMMIT
    webhooks.deliver(delivery.id)

    wanted = (f"delivery-{delivery.id}", {"event": "account.updated", "user_id": user.id})
    assert partner.received == [wanted, wanted]
    assert delivery.delivered_at is not None


def test_a_second_run_posts_nothing(app: Flask, user: User, recorder: tuple[str, type[Recorder]]) -> None:
    """What was delivered and committed is not delivered again."""
    address, partner = recorder
    app.config["WEBHOOK_URL"] = f"{address}/200"
    delivery = webhooks.announce(user, "account.updated")
    webhooks.deliver(delivery.id)
    webhooks.deliver(delivery.id)

    assert len(partner.received) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, DeliveryFailed),
        (503, DeliveryFailed),
        (429, DeliveryFailed),
        (404, DeliveryRefused),
        (410, DeliveryRefused),
    ],
)
def test_faults_are_told_from_refusals(
    app: Flask, user: User, recorder: tuple[str, type[Recorder]], status: int, error: type[Exception]
) -> None:
    """A fault of the partner's may pass and is retried; what the partner refuses is not."""
    app.config["WEBHOOK_URL"] = f"{recorder[0]}/{status}"
    delivery = webhooks.announce(user, "account.updated")
    with pytest.raises(error, match=str(status)):
        webhooks.deliver(delivery.id)

    assert delivery.delivered_at is None


def test_a_partner_who_is_away_is_a_fault(app: Flask, user: User) -> None:
    """A partner who cannot be reached may be back later."""
    app.config["WEBHOOK_URL"] = "http://127.0.0.1:1/hook"
    delivery = webhooks.announce(user, "account.updated")
    with pytest.raises(DeliveryFailed, match="cannot be reached"):
        webhooks.deliver(delivery.id)


def test_the_partner_of_the_demo_is_out_of_order_twice(app: Flask, user: User) -> None:
    """The demo's partner has two faults for each webhook, so that the third attempt of a job delivers."""
    with Partner() as partner:
        app.config["WEBHOOK_URL"] = partner.url
        for event in ("account.updated", "account.closed"):
            delivery = webhooks.announce(user, event)
            for _ in range(2):
                with pytest.raises(DeliveryFailed, match="503"):
                    webhooks.deliver(delivery.id)
            webhooks.deliver(delivery.id)
            assert delivery.delivered_at is not None


@pytest.mark.parametrize("event", ["", "Account", "a b", "a..b", "a\n", "x" * 41])
def test_an_event_has_a_plain_name(user: User, event: str) -> None:
    """Small letters and dots, so that every system can use it as it is."""
    with pytest.raises(Invalid, match="event"):
        webhooks.announce(user, event)


def test_a_deleted_delivery_is_gone(context: None) -> None:
    """A job whose row was deleted ends with an error of its own, which the job does not retry."""
    with pytest.raises(Gone, match="delivery 7"):
        webhooks.deliver(7)
