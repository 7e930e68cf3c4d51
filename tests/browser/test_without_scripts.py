"""Every page and every action works in a browser that runs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from flask_queue import JobNotFound

from .shop import SendWelcomeEmail, SyncInventory
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


def confirm_open(page: Page, answer: str) -> None:
    """Press the button in the question that is open."""
    page.locator("details.fq-ask[open]").get_by_role("button", name=answer).click()


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


def test_a_queue_is_paused_with_a_reason(reader: Visitor, here: Shop) -> None:
    """On its own page, which then tells everybody."""
    page = reader.open("queue/emails/")
    pause = page.locator("details.fq-ask").filter(has=page.locator("summary", has_text="Pause"))
    pause.locator("summary").click()
    pause.get_by_label("Reason").fill("The mail server is full")
    pause.get_by_role("button", name="Pause").click()
    assert here.queue.paused()["emails"] == "The mail server is full"
    assert "The mail server is full" in page.locator("main").inner_text()


def test_a_queue_is_cleaned(reader: Visitor, here: Shop) -> None:
    """State and age are chosen, the number is told, and one more press deletes."""
    job = here.queue.cancel(SyncInventory.dispatch("Berlin").id)
    page = reader.open("queue/default/")
    form = page.locator("form[method=get]").filter(has=page.get_by_label("State"))
    form.get_by_label("State").select_option("cancelled")
    form.get_by_label("Age").select_option("any")
    form.get_by_role("button").click()
    assert "default has 1 cancelled job" in page.locator("main").inner_text()
    assert here.queue.get(job.id).state == "cancelled"
    press(page, "Delete them")
    assert "1" in told(page)
    with pytest.raises(JobNotFound):
        here.queue.get(job.id)


def test_a_job_is_cancelled_retried_and_deleted(reader: Visitor, here: Shop) -> None:
    """On its page; deleting asks first, and leads to the list."""
    job = SendWelcomeEmail.dispatch(user_id=1, plan="steered")
    page = reader.open(f"jobs/{job.id}/")
    for button, state in (("Cancel", "cancelled"), ("Retry", "waiting")):
        press(page, button)
        assert here.queue.get(job.id).state == state
        expect(page.locator(".fq-heading .fq-state")).to_have_text(state)
    page.locator("summary", has_text="Delete").click()
    assert here.queue.get(job.id).state == "waiting"
    confirm_open(page, "Delete")
    with pytest.raises(JobNotFound):
        here.queue.get(job.id)
    expect(page.locator("h1")).to_have_text("Jobs")


def test_a_delayed_job_gets_another_time_and_runs_now(reader: Visitor, here: Shop) -> None:
    """The time is a field, in the zone that it is given in."""
    job = SendWelcomeEmail.options(delay_s=3600).dispatch(user_id=1, plan="late")
    page = reader.open(f"jobs/{job.id}/")
    page.locator("summary", has_text="Reschedule").click()
    page.get_by_label("When it may run").fill("2040-02-03T04:05:06")
    confirm_open(page, "Reschedule")
    at = here.queue.get(job.id).scheduled_at
    assert at is not None
    assert at.isoformat().startswith("2040-02-03T04:05:06")
    press(page, "Run now")
    assert here.queue.get(job.id).state == "waiting"
    here.queue.delete(job.id)


def test_a_job_is_sent_again_with_another_payload(reader: Visitor, here: Shop) -> None:
    """What cannot be sent is told next to what was typed."""
    job = SendWelcomeEmail.dispatch(user_id=1, plan="twice")
    page = reader.open(f"jobs/{job.id}/")
    page.get_by_role("link", name="Duplicate").click()
    page.get_by_label("Payload").fill('{"user_id": 2, "plan": "twice", "vip": 1}')
    press(page, "Send as a new job")
    expect(page.get_by_role("alert")).to_contain_text("vip")
    assert reader.watch.forgive() == [] or page.get_by_label("Payload").input_value().endswith('"vip": 1}')
    page.get_by_label("Payload").fill('{"user_id": 2, "plan": "twice"}')
    press(page, "Send as a new job")
    found = here.queue.jobs(tag="plan:twice").records
    assert sorted(record.payload["user_id"] for record in found) == [1, 2]
    for record in found:
        here.queue.delete(record.id)


def test_selected_jobs_are_deleted(reader: Visitor, here: Shop) -> None:
    """Two of three are ticked; it asks, and the third stays."""
    jobs = [SendWelcomeEmail.dispatch(user_id=n, plan="ticked") for n in range(3)]
    page = reader.open("jobs/?tag=plan:ticked")
    for job in jobs[:2]:
        page.get_by_label(f"Select {job.id}").check()
    confirm(page, "Delete", "Delete")
    assert [record.id for record in here.queue.jobs(tag="plan:ticked").records] == [jobs[2].id]
    here.queue.delete(jobs[2].id)


def test_all_jobs_that_match_are_cancelled(reader: Visitor, here: Shop) -> None:
    """Their number is shown before anything is done."""
    jobs = [SendWelcomeEmail.dispatch(user_id=n, plan="matching") for n in range(3)]
    page = reader.open("jobs/?tag=plan:matching&state=waiting")
    page.locator("summary", has_text="All that match").click()
    page.get_by_role("link", name="Cancel all").click()
    assert "3 jobs will be cancelled" in page.locator("main").inner_text()
    assert here.queue.get(jobs[0].id).state == "waiting"
    press(page, "Cancel 3 jobs")
    assert {here.queue.get(job.id).state for job in jobs} == {"cancelled"}
    for job in jobs:
        here.queue.delete(job.id)


def test_jobs_are_filtered_and_paged(reader: Visitor) -> None:
    """By a form and by links."""
    page = reader.open("jobs/")
    page.get_by_label("Queue", exact=True).select_option("emails")
    page.get_by_label("Search", exact=True).fill("args.plan:pro")
    press(page, "Search")
    assert "queue=emails" in page.url
    names = page.locator("[data-rows] > tr .fq-col-name, [data-rows] > tr .fq-col-job").all_inner_texts()
    assert all("SendWelcomeEmail" in name for name in names)
    page = reader.open("jobs/?queue=emails&state=completed")
    first = page.locator("[data-rows] > tr").first.get_attribute("id")
    page.get_by_role("link", name="Next page").click()
    assert page.locator("[data-rows] > tr").first.get_attribute("id") != first


def test_a_worker_is_asked_to_be_quiet(reader: Visitor, here: Shop) -> None:
    """It asks first; the page says what the process was asked for."""
    page = reader.open("workers/")
    confirm(page, "Quiet", "Quiet", inside="[data-rows]")
    (worker,) = here.queue.workers()
    assert worker.asked == "quiet"
    assert here.queue.audit().entries[0].action == "quiet"
    expect(page.locator("[data-rows] .fq-state")).to_have_text("quiet")
