"""An open page follows what happens, without a reload, and asks no more than it must."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support import wait_until

from .shop import SendWelcomeEmail

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

    from .conftest import Shop, Visitor

#: Seconds between two updates.
INTERVAL_S = 5
LIVE_HEADER = "x-flask-queue-live"
#: Counts how often a page sets a timer of more than a second: it has done so again once an update is over.
COUNT_TIMERS = """
    const set = window.setTimeout;
    window.timersSet = 0;
    window.setTimeout = (call, delay, ...rest) => {
        window.timersSet += delay >= 1000;
        return set(call, delay, ...rest);
    };
"""


class Onlooker:
    """Has a page open whose clock only goes on when told to, and counts the updates that it asks for."""

    def __init__(self, visitor: Visitor, path: str = "") -> None:
        self._updates: list[Request] = []
        visitor.page.on("request", self._note)
        visitor.page.clock.install(time=0)
        visitor.page.clock.pause_at(1000)
        visitor.page.add_init_script(COUNT_TIMERS)
        self.page = visitor.open(path)
        self.page.evaluate("window.isSamePage = true")

    def wait(self, seconds: int) -> int:
        """Let time go by; returns how many updates the page asked for in it, once they are over."""
        before, timers = len(self._updates), self._timers_set()
        self.page.clock.run_for(seconds * 1000)
        asked = len(self._updates) - before
        wait_until(lambda: self._timers_set() >= timers + asked, 10, what="the updates are over")
        return asked

    def statuses(self) -> list[int]:
        """How the updates were answered."""
        answers = [request.response() for request in self._updates]
        return [answer.status for answer in answers if answer]

    def hide(self, is_hidden: bool) -> None:
        """Go to another tab, or come back."""
        self.page.evaluate(
            """isHidden => {
                Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
                document.dispatchEvent(new Event("visibilitychange"));
            }""",
            is_hidden,
        )

    def is_same_page(self) -> bool:
        """Whether nothing was loaded anew."""
        return bool(self.page.evaluate("window.isSamePage"))

    def _timers_set(self) -> int:
        return int(self.page.evaluate("window.timersSet"))

    def _note(self, request: Request) -> None:
        if LIVE_HEADER in request.headers:
            self._updates.append(request)


@pytest.fixture
def onlooker(visitor: Visitor) -> Onlooker:
    """Somebody who looks at the overview."""
    return Onlooker(visitor)


def row(page: Page, queue: str) -> str:
    """What the table says of a queue."""
    return " ".join(page.locator(f"#queue-{queue} [data-label=Waiting]").all_inner_texts())


def test_a_page_follows_without_a_reload(onlooker: Onlooker, here: Shop) -> None:
    """A job is dispatched: five seconds later the overview counts it."""
    before = int(row(onlooker.page, "emails"))
    job = SendWelcomeEmail.dispatch(user_id=1)
    assert onlooker.wait(INTERVAL_S) == 1
    expect(onlooker.page.locator("#queue-emails [data-label=Waiting]")).to_have_text(str(before + 1))
    assert onlooker.is_same_page()
    here.queue.delete(job.id)


@pytest.mark.parametrize("path", ["audit/", "jobs/?queue=emails", "jobs/emails:done/", "queue/emails/"])
def test_an_idle_page_is_answered_with_304(visitor: Visitor, path: str) -> None:
    """The first update tells which state the page is in; from then on nothing is sent while nothing happens."""
    onlooker = Onlooker(visitor, path)
    for _ in range(3):
        assert onlooker.wait(INTERVAL_S) == 1
    assert onlooker.statuses() == [200, 304, 304]


def test_a_hidden_page_asks_nothing(onlooker: Onlooker) -> None:
    """Not once in ten minutes; when it's seen again, it asks at once."""
    onlooker.hide(True)
    assert onlooker.wait(600) == 0
    with onlooker.page.expect_request(lambda request: LIVE_HEADER in request.headers):
        onlooker.hide(False)


def test_live_updates_can_be_switched_off(onlooker: Onlooker, visitor: Visitor) -> None:
    """It's remembered for the pages to come."""
    button = onlooker.page.get_by_role("button", name="Live")
    button.click()
    expect(onlooker.page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "false")
    assert onlooker.wait(60) == 0
    visitor.open("audit/")
    expect(visitor.page.get_by_role("button", name="Paused")).to_be_visible()
    with visitor.page.expect_response(lambda answer: LIVE_HEADER in answer.request.headers):
        visitor.page.get_by_role("button", name="Paused").click()
    expect(visitor.page.get_by_role("button", name="Live")).to_be_visible()


def test_what_was_opened_stays_open(onlooker: Onlooker, here: Shop) -> None:
    """Also when the page changes around it."""
    table = onlooker.page.locator("#fq-table-1")
    table.locator("summary").click()
    job = SendWelcomeEmail.dispatch(user_id=1)
    assert onlooker.wait(INTERVAL_S) == 1
    expect(table).to_have_attribute("open", "")
    here.queue.delete(job.id)


def test_the_page_says_when_the_server_is_away(onlooker: Onlooker, visitor: Visitor, here: Shop) -> None:
    """It says Offline, asks less and less often, and goes on by itself once the server is back."""
    here.site.stop()
    try:
        assert onlooker.wait(INTERVAL_S) == 1
        expect(onlooker.page.get_by_role("button", name="Offline")).to_be_visible()
        assert (onlooker.wait(9), onlooker.wait(1)) == (0, 1)
        expect(onlooker.page.get_by_role("button", name="Offline")).to_be_visible()
    finally:
        here.site.start()
    assert (onlooker.wait(19), onlooker.wait(1)) == (0, 1)
    expect(onlooker.page.get_by_role("button", name="Live")).to_be_visible()
    assert onlooker.wait(INTERVAL_S) == 1
    assert [fault for fault in visitor.watch.forgive() if "net::ERR_" not in fault] == []


def test_an_open_dialog_is_not_disturbed(onlooker: Onlooker) -> None:
    """Updates go on once it's closed."""
    onlooker.page.keyboard.press("?")
    assert onlooker.wait(60) == 0
    onlooker.page.keyboard.press("Escape")
    assert onlooker.wait(INTERVAL_S) == 1


def test_a_selection_is_not_disturbed(visitor: Visitor) -> None:
    """Nothing moves under somebody who ticks rows; updates go on once none is ticked."""
    onlooker = Onlooker(visitor, "jobs/?queue=emails")
    box = onlooker.page.locator("[name=rowid]").nth(1)
    box.check()
    assert onlooker.wait(60) == 0
    box.uncheck()
    assert onlooker.wait(INTERVAL_S) == 1


def test_an_open_question_is_not_disturbed(onlooker: Onlooker, visitor: Visitor) -> None:
    """Nor is somebody who types."""
    visitor.open("queue/emails/")
    ask = onlooker.page.locator("details.fq-ask").first
    ask.locator("summary").click()
    ask.get_by_label("Reason").fill("The mail server")
    assert onlooker.wait(60) == 0
    expect(ask.get_by_label("Reason")).to_have_value("The mail server")


def test_a_field_is_not_disturbed(visitor: Visitor) -> None:
    """While it has the focus."""
    onlooker = Onlooker(visitor, "jobs/?queue=emails")
    onlooker.page.get_by_label("Search", exact=True).fill("args.")
    assert onlooker.wait(60) == 0
    onlooker.page.get_by_label("Search", exact=True).blur()
    assert onlooker.wait(INTERVAL_S) == 1


def test_a_list_does_not_jump(visitor: Visitor, here: Shop) -> None:
    """Newer jobs are offered by a line; whoever presses it sees them."""
    onlooker = Onlooker(visitor, "jobs/?queue=emails")
    job = SendWelcomeEmail.dispatch(user_id=1)
    offer = onlooker.page.get_by_role("button", name="There are newer jobs")
    expect(offer).to_be_hidden()
    assert onlooker.wait(INTERVAL_S) == 1
    expect(offer).to_be_visible()
    offer.click()
    expect(onlooker.page.locator(f"[id='job-{job.id}']")).to_be_visible()
    here.queue.delete(job.id)


def test_the_current_row_stays_the_current_one(visitor: Visitor, here: Shop) -> None:
    """Also when the rows around it change."""
    jobs = [SendWelcomeEmail.dispatch(user_id=n, plan="walked") for n in range(3)]
    onlooker = Onlooker(visitor, "jobs/?tag=plan:walked")
    onlooker.page.keyboard.press("j")
    current = onlooker.page.locator(".fq-current")
    before = current.get_attribute("id")
    others = [job for job in jobs if f"job-{job.id}" != before]
    here.queue.delete(others[0].id)
    assert onlooker.wait(INTERVAL_S) == 1
    expect(onlooker.page.locator("[data-rows] > tr")).to_have_count(2)
    expect(current).to_have_attribute("id", str(before))
    for job in jobs:
        if job is not others[0]:
            here.queue.delete(job.id)
