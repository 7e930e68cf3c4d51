"""Every page, as a browser sees it: nothing is refused, nothing is out of reach, nothing is too wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from . import shop

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Shop, Visitor

#: Each page of the dashboard, by a name for it, some with jobs of several kinds.
PAGES = {
    "overview": "",
    "jobs": "jobs/",
    "jobs, failed": "jobs/?state=failed",
    "jobs, search": "jobs/?search=args.user_id:1",
    "jobs, wrong search": "jobs/?search=nme:x",
    "jobs, none": "jobs/?state=active&queue=reports",
    "job, completed": "jobs/emails:done/",
    "job, failed": "jobs/emails:broken/",
    "job, active": "jobs/images:running/",
    "job, delayed": "jobs/emails:later/",
    "job, cancelled": "jobs/reports:cancelled/",
    "job, hostile": "jobs/hostile:broken/",
    "duplicate": "jobs/emails:broken/duplicate/",
    "duplicate, hostile": "jobs/hostile:broken/duplicate/",
    "bulk": "jobs/bulk/?action=retry&state=failed",
    "failures": "failures/",
    "queues": "queue/",
    "queue": "queue/emails/",
    "queue, paused": "queue/reports/",
    "workers": "workers/",
    "audit": "audit/",
    "about": "about/",
}
#: Routes that are read by programs, or downloaded.
NO_PAGES = {"static", "metrics", "job_download", "export"}
#: WCAG 2, A and AA; in another scheme the colours alone are others.
ALL_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


def test_no_page_is_forgotten(filled: Shop) -> None:
    """A new route is a new line in `PAGES`."""
    routes = filled.app.url_map
    adapter = routes.bind("127.0.0.1")
    seen = {adapter.match(shop.HOME + path.partition("?")[0])[0] for path in PAGES.values()}
    ours = [rule for rule in routes.iter_rules() if rule.rule.startswith(shop.HOME) and "GET" in (rule.methods or ())]
    assert {rule.endpoint for rule in ours if rule.endpoint.rpartition(".")[2] not in NO_PAGES} == seen


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_a_page_serves_everybody(visitor: Visitor, path: str) -> None:
    """In light and dark axe finds nothing (WCAG 2, A and AA), and 390 pixels are wide enough.

    Nor is there an error, a breach of the content policy, a request that fails or goes elsewhere: see `Watch`.
    """
    page = visitor.open(path)
    assert (scheme_of(page), faults_of(page, ALL_RULES)) == ("light", [])
    page.emulate_media(color_scheme="dark")
    assert (scheme_of(page), faults_of(page, COLOURS)) == ("dark", [])
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def scheme_of(page: Page) -> str:
    """What the page is drawn on."""
    ground: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return {"rgb(245, 246, 248)": "light", "rgb(14, 17, 23)": "dark"}.get(ground, ground)


def faults_of(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe finds: each rule that is broken, and where."""
    return [_told(rule) for rule in Axe().run(page, options=rules).response["violations"]]


def _told(rule: dict[str, Any]) -> str:
    places = "; ".join(node["html"][:200] + " " + node["failureSummary"][:300] for node in rule["nodes"][:3])
    return f"{rule['id']}: {places}"
