"""What jobs carry is text, wherever a page shows it: nothing of it runs, and nothing of it becomes an element."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from . import hostile

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Shop, Visitor

ALL = " ".join(hostile.CORPUS)
PAGES = {
    "overview": "",
    "jobs": "jobs/",
    "failed jobs": "jobs/?state=failed&queue=hostile",
    "a search": f"jobs/?search={quote(ALL)}",
    "each filter": f"jobs/?queue={quote(ALL)}&name={quote(ALL)}&tag={quote(ALL)}&error={quote(ALL)}&since={quote(ALL)}",
    "a state that is none": f"jobs/?state={quote(ALL)}",
    "a cursor that is none": f"jobs/?cursor={quote(ALL)}",
    "a job's name": f"jobs/?name={quote(hostile.NAME)}",
    "a job's tag": f"jobs/?tag={quote(hostile.CORPUS[0])}",
    "a job that completed": "jobs/hostile:done/",
    "a job that failed": "jobs/hostile:broken/",
    "failures": "failures/",
    "queue": "queue/hostile/",
    "queues": "queue/",
    "workers": "workers/",
    "audit": "audit/",
}
#: Pages that show the texts in full.
SHOWING = ["jobs/hostile:done/", "jobs/hostile:broken/"]
#: What none of our pages has, and what would be there if a text had become markup.
FOREIGN = f"""
    .{hostile.MARK}, iframe, object, embed, base, meta[http-equiv], style, body script:not([src]), [style],
    [onerror], [onload], [onclick], [onfocus], [onmouseover], [onbegin], [autofocus],
    a[href^='javascript:' i], form[action^='javascript:' i], form[action*='evil.example'], [src*='evil.example']
"""


def foreign(page: Page) -> list[str]:
    """The markup of what does not belong on a page."""
    found: list[str] = page.locator(FOREIGN).evaluate_all("found => found.map(each => each.outerHTML.slice(0, 200))")
    return found


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_texts_stay_texts(visitor: Visitor, here: Shop, path: str) -> None:
    """Names, payloads, results, errors, logs, tags, reasons and what was searched for; no dialog, no error: `Watch`."""
    here.queue.pause(hostile.QUEUE, ALL)
    page = visitor.open(path)
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    assert foreign(page) == []


@pytest.mark.parametrize("path", SHOWING)
def test_the_texts_are_there(visitor: Visitor, path: str) -> None:
    """Every one can be read as it was written: so that the check above had something to find."""
    text = visitor.open(path).locator("main").evaluate("main => main.textContent")
    assert [each for each in hostile.CORPUS if each.strip().splitlines()[0] not in text] == []


@pytest.mark.parametrize("path", ["nowhere/", "jobs/<b class=pwned>/", "queue/<b class=pwned>/"])
def test_an_address_is_a_text_too(visitor: Visitor, path: str) -> None:
    """A page that says what it did not find says it as text."""
    visitor.watch.expect("404")
    assert foreign(visitor.open(path)) == []
