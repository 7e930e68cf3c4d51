"""What takes many steps goes on by itself, and shows how far it is: a search, an action on all that match."""

from __future__ import annotations

from functools import partialmethod
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from flask_queue import bulk
from flask_queue.store.queries import Queries

from .shop import SendWelcomeEmail

if TYPE_CHECKING:
    from .conftest import Shop, Visitor


def test_a_search_goes_on_until_it_is_over(visitor: Visitor, here: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer has a part of what there is; rows are added as they come, until nothing is left to look at."""
    monkeypatch.setattr(Queries, "page", partialmethod(Queries.page, within_s=0))
    jobs = [SendWelcomeEmail.dispatch(user_id=n, plan="searched") for n in range(3)]
    first = here.queue.jobs(search="args.plan:searched")
    assert len(first.records) < 3
    assert first.next_cursor is not None

    page = visitor.open("jobs/?search=args.plan:searched")
    for job in jobs:
        expect(page.locator(f"[id='job-{job.id}']")).to_be_visible()
    expect(page.get_by_role("link", name="Search on")).to_have_count(0)
    expect(page.locator("[data-rows] > tr")).to_have_count(3)
    for job in jobs:
        here.queue.delete(job.id)


def test_a_search_that_finds_nothing_says_so_in_the_end(
    visitor: Visitor, here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not before."""
    monkeypatch.setattr(Queries, "page", partialmethod(Queries.page, within_s=0))
    page = visitor.open("jobs/?search=args.plan:nowhere")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    expect(page.get_by_role("link", name="Search on")).to_have_count(0)


def test_an_action_on_all_goes_on_until_it_is_done(
    visitor: Visitor, here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One press, several steps, and a message with the number in the end."""
    monkeypatch.setattr(bulk, "STEP_S", 0)
    jobs = SendWelcomeEmail.dispatch_many([{"user_id": n, "plan": "stepped"} for n in range(600)])
    page = visitor.open("jobs/?tag=plan:stepped")
    page.locator("summary", has_text="All that match").click()
    page.get_by_role("link", name="Cancel all").click()
    page.get_by_role("button", name="Cancel 600 jobs").click()
    expect(page.get_by_role("status").filter(has_text="600 jobs cancelled.")).to_be_visible()
    assert here.queue.get(jobs[0].id).state == "cancelled"
    assert here.queue.get(jobs[-1].id).state == "cancelled"
    page.locator("summary", has_text="All that match").click()
    page.get_by_role("link", name="Delete all").click()
    page.get_by_role("button", name="Delete 600 jobs").click()
    expect(page.get_by_role("status").filter(has_text="600 jobs deleted.")).to_be_visible()
    assert here.queue.jobs(tag="plan:stepped").records == []
