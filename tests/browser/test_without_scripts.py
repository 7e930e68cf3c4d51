"""Every page and every action works in a browser that runs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .test_pages import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Shop, Visit, Visitor


@pytest.fixture
def reader(visit: Visit) -> Visitor:
    """Somebody whose browser runs no script."""
    return visit(java_script_enabled=False)


def press(page: Page, name: str, *, inside: str = "main") -> None:
    """Press the first button of this name."""
    page.locator(inside).get_by_role("button", name=name, exact=True).first.click()


def confirm(page: Page, name: str, answer: str, *, inside: str = "main") -> None:
    """Press a button that asks first, and then the one that does it."""
    ask = page.locator(inside).locator("details.fq-ask").filter(has=page.locator("summary", has_text=name)).first
    ask.locator("summary").click()
    ask.get_by_role("button", name=answer).click()


def told(page: Page) -> str:
    """What the page says came of it."""
    return " ".join(page.locator(".fq-flash").all_inner_texts())


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_a_page_can_be_read(reader: Visitor, path: str) -> None:
    """It has its heading, and shows nothing that only a script could use."""
    page = reader.open(path)
    assert page.locator("h1").count() == 1
    expect(page.locator(".fq-tools")).to_be_hidden()
    for part in page.locator("[data-copy], [data-script]").all():
        expect(part).to_be_hidden()


def test_a_queue_is_paused_and_resumed(reader: Visitor, here: Shop) -> None:
    """On the overview."""
    page = reader.open()
    press(page, "Pause", inside="#queue-emails")
    assert "emails is paused" in told(page)
    assert "emails" in here.queue.paused()
    press(page, "Resume", inside="#queue-emails")
    assert "emails is resumed" in told(page)
    assert "emails" not in here.queue.paused()
