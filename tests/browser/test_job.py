"""The page of a job that runs, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from .test_live import INTERVAL_S, Onlooker

if TYPE_CHECKING:
    from .conftest import Shop, Visitor

PAGE = "jobs/images:running/"
#: The first line of the log that is in view.
FIRST_SEEN = """log => [...log.querySelectorAll("li")].find(
    line => line.getBoundingClientRect().top >= log.getBoundingClientRect().top).textContent"""


def tell(here: Shop, done: int, lines: int) -> None:
    """What the job would say of itself while it goes on."""
    store = here.queue.broker.store
    store.progress("images", "running", done, 100)
    for number in range(lines):
        store.log("images", "running", f"{done}: line {number}")


def test_a_running_job_is_followed(visitor: Visitor, here: Shop) -> None:
    """Its progress goes on, the newest log line is in view, and what somebody folded stays folded."""
    tell(here, 50, 100)
    onlooker = Onlooker(visitor, PAGE)
    page = onlooker.page
    payload, log, progress = page.locator("#payload details"), page.locator(".fq-log"), page.get_by_role("progressbar")
    expect(log.locator("li").last).to_be_in_viewport()
    payload.locator("summary").click()
    tell(here, 77, 100)
    assert onlooker.wait(INTERVAL_S) == 1
    expect(progress).to_have_attribute("value", "77.0")
    assert progress.evaluate("bar => bar.clientWidth > bar.closest('section').clientWidth / 2")
    expect(log.locator("li").last).to_have_text("77: line 99")
    expect(log.locator("li").last).to_be_in_viewport()
    assert payload.evaluate("details => details.open") is False
    assert onlooker.is_same_page()


def test_whoever_reads_older_lines_is_left_alone(visitor: Visitor, here: Shop) -> None:
    """The log stays where it was scrolled to while lines are added."""
    tell(here, 50, 300)
    onlooker = Onlooker(visitor, PAGE)
    log = onlooker.page.locator(".fq-log")
    log.evaluate("log => log.scrollTo(0, -2000)")
    before = log.evaluate(FIRST_SEEN)
    assert before.startswith("50: line 1")
    tell(here, 60, 50)
    assert onlooker.wait(INTERVAL_S) == 1
    expect(log.locator("li").last).to_have_text("60: line 49")
    assert log.evaluate(FIRST_SEEN) == before
