"""A page of another site cannot make a visitor's browser change anything."""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from playwright.sync_api import expect

from . import shop
from .site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Shop, Visitor

#: Sends its form as soon as it is looked at.
FORM = """<!doctype html><title>Kittens</title><link rel="icon" href="data:,">
<form method="post" action="{action}"><input name="csrf_token" value="{token}"></form>
<script>document.forms[0].submit()</script>"""
#: Sends it by a script, with the visitor's cookies.
SCRIPT = """<!doctype html><title>Kittens</title><link rel="icon" href="data:,">
<script>
fetch("{action}", {{
  method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({{ csrf_token: "{token}" }})
}}).finally(() => document.title = "Done");
</script>"""


@dataclass
class Attacker:
    """Somebody else's site on this machine, with one page."""

    site: Site
    page: str = ""

    def url(self, host: str) -> str:
        """Its address: `localhost` is another site for a browser, `127.0.0.1` the same one on another port."""
        return f"http://{host}:{self.site.port}/"


@pytest.fixture
def attacker() -> Iterator[Attacker]:
    """The other site."""
    app = Flask("attacker")
    with Site(app) as site:
        attacker = Attacker(site)
        app.add_url_rule("/", view_func=lambda: attacker.page)
        yield attacker


def token_of(visitor: Visitor) -> str:
    """The visitor's own token, which no other site can read."""
    token = visitor.open().locator("[name=csrf_token]").first.get_attribute("value")
    assert token
    return token


@pytest.mark.parametrize("action", ["queue/emails/pause", "jobs/emails:done/delete"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("token", ["", "a guess", "the visitor's own"])
def test_a_form_of_another_site_changes_nothing(
    visitor: Visitor, attacker: Attacker, here: Shop, host: str, token: str, action: str
) -> None:
    """Although the browser sends the visitor's cookie along, and even with the right token."""
    own = token_of(visitor)
    attacker.page = FORM.format(action=here.home + action, token=own if token == "the visitor's own" else token)
    with visitor.page.expect_navigation(url=f"{here.site.url}/**"):
        visitor.page.goto(attacker.url(host))
    expect(visitor.page.get_by_role("heading", name="Not done")).to_be_visible()
    sent = next(seen for seen in reversed(here.site.seen) if seen.method == "POST")
    assert "session" in SimpleCookie(sent.cookie), "the test would show nothing"
    assert sent.site == {"localhost": "cross-site", "127.0.0.1": "same-site"}[host]
    assert "emails" not in here.queue.paused()
    assert here.queue.get("emails:done").state == "completed"
    assert [fault for fault in visitor.watch.forgive() if not is_expected(fault, attacker)] == []


def test_a_script_of_another_site_changes_nothing(visitor: Visitor, attacker: Attacker, here: Shop) -> None:
    """A fetch with cookies, from another port of the same host, which gets them."""
    attacker.page = SCRIPT.format(action=f"{here.home}queue/emails/pause", token=token_of(visitor))
    visitor.page.goto(attacker.url("127.0.0.1"))
    expect(visitor.page).to_have_title("Done")
    sent = next(seen for seen in reversed(here.site.seen) if seen.method == "POST")
    assert "session" in SimpleCookie(sent.cookie), "the test would show nothing"
    assert "emails" not in here.queue.paused()
    assert [fault for fault in visitor.watch.forgive() if not is_expected(fault, attacker)] == []


def test_another_site_cannot_frame_a_page(visitor: Visitor, attacker: Attacker, here: Shop) -> None:
    """Nobody presses a button of ours below a picture of theirs."""
    token_of(visitor)
    attacker.page = f'<!doctype html><link rel="icon" href="data:,"><iframe src="{here.home}"></iframe>'
    visitor.page.goto(attacker.url("localhost"))
    assert visitor.page.frame_locator("iframe").locator(".fq").count() == 0
    assert any("frame" in fault for fault in visitor.watch.forgive())


def is_expected(fault: str, attacker: Attacker) -> bool:
    """Whether a fault is the other site, or our refusal."""
    return f":{attacker.site.port}" in fault or "403" in fault


def test_the_shop_is_where_the_forms_point(here: Shop, visitor: Visitor) -> None:
    """The same form, sent from our own page, does it: so that the refusals above are no accident."""
    page = visitor.open()
    page.locator("#queue-emails").get_by_role("button", name="Pause").click()
    expect(page.get_by_text("emails is paused:")).to_be_visible()
    assert shop.HOME in here.site.seen[-1].path
