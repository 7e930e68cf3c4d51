"""Everything can be done without a mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from .conftest import Shop, Visit, Visitor

#: More than there are things to press on a page.
MOST_STOPS = 80


def test_the_first_stop_skips_the_menus(visitor: Visitor) -> None:
    """Tab, Enter: the next stop is in the content."""
    page = visitor.open()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#fq-live') !== null")


def test_tab_reaches_what_can_be_pressed(visitor: Visitor, here: Shop) -> None:
    """A queue is paused and resumed with Tab and Enter, and whoever does it sees where they are."""
    page = visitor.open()
    pause = page.locator("#queue-emails").get_by_role("button", name="Pause")
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if pause.evaluate("button => button === document.activeElement"):
            break
    expect(pause).to_be_focused()
    assert pause.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_text("emails is paused:")).to_be_visible()
    assert "emails" in here.queue.paused()
    page.locator("#queue-emails").get_by_role("button", name="Resume").press("Enter")
    expect(page.get_by_text("emails is resumed")).to_be_visible()
    assert "emails" not in here.queue.paused()


def test_a_question_mark_shows_the_shortcuts(visitor: Visitor) -> None:
    """Escape closes them; so does the button, which is reached first."""
    page = visitor.open()
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("?")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()


def test_g_goes_to_pages(visitor: Visitor) -> None:
    """`g` and a letter; typing into a field is typing."""
    page = visitor.open()
    for key, title in (("f", "Failures"), ("q", "Queues"), ("w", "Workers"), ("j", "Jobs"), ("o", "Overview")):
        page.keyboard.press("g")
        with page.expect_navigation():  # until its script is there, to hear the next keys
            page.keyboard.press(key)
        expect(page.locator(".fq-tabs [aria-current=page]")).to_have_text(title)


def test_a_slash_goes_to_the_search(visitor: Visitor) -> None:
    """From any page; what is typed there is no shortcut."""
    page = visitor.open()
    page.keyboard.press("/")
    page.wait_for_url("**/jobs/")
    page.keyboard.press("/")
    search = page.get_by_label("Search", exact=True)
    expect(search).to_be_focused()
    page.keyboard.type("?jxl/")
    expect(search).to_have_value("?jxl/")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_rows_are_walked_selected_and_opened(visitor: Visitor) -> None:
    """`j` down, `k` up, `x` selects, Enter opens."""
    page = visitor.open("jobs/?queue=emails")
    rows, current = page.locator("[data-rows] > tr"), page.locator(".fq-current")
    ids = [row.get_attribute("id") for row in rows.all()[:3]]
    for key, place in (("k", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(current).to_have_attribute("id", str(ids[place]))
    page.keyboard.press("x")
    expect(current.get_by_role("checkbox")).to_be_checked()
    expect(page.locator("[data-chosen]").first).to_have_text("1")
    page.keyboard.press("x")
    expect(page.locator("[data-chosen]").first).to_have_text("0")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{str(ids[1]).removeprefix('job-')}/")


def test_all_rows_are_selected_at_once(visitor: Visitor) -> None:
    """By the box in the heading; buttons that need a choice wait for one."""
    page = visitor.open("jobs/?queue=emails")
    every, rows = page.get_by_label("Select all on this page"), page.locator("[data-rows] [name=rowid]")
    retry = page.locator("[data-needs-choice]").first
    expect(retry).to_be_disabled()
    every.check()
    expect(page.locator("[data-chosen]").first).to_have_text(str(rows.count()))
    expect(retry).to_be_enabled()
    rows.first.uncheck()
    assert every.evaluate("box => box.indeterminate && !box.checked")


def test_an_id_is_copied(visit: Visit, filled: Shop) -> None:
    """The button says that it was."""
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.open("jobs/emails:done/")
    page.get_by_role("button", name="Copy the id").click()
    expect(page.locator("[data-copy] [data-label]").first).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "emails:done"


def test_the_colour_scheme_is_chosen_three_ways(visitor: Visitor) -> None:
    """Auto follows the system; light and dark stay, on other pages too; a third press is Auto again."""
    page = visitor.open()
    button = page.get_by_role("button", name="Colour scheme")
    seen = []
    for choice in ("Auto", "Light", "Dark", "Auto"):
        expect(button).to_have_text(choice)
        for system in ("light", "dark"):
            page.emulate_media(color_scheme=system)
            visitor.open("about/")
            seen.append((choice, system, page.evaluate("getComputedStyle(document.body).backgroundColor")))
        button.click()
    light, dark = seen[0][2], seen[1][2]
    assert light != dark
    assert [ground for _, _, ground in seen] == [light, dark, light, light, dark, dark, light, dark]
