"""A real browser, and a shop whose dashboard it visits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import expect

from flask_queue import Queue
from flask_queue.current import broker_of
from tests.servers import RedisServer

from . import hostile, shop
from .chromium import browser
from .site import Site
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from playwright.sync_api import Browser, BrowserContext, Page

    from flask_queue import FlaskQueue

#: Milliseconds that anything in the browser may take on a busy machine.
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


# Of the package, not of the session: while Playwright runs, no other test could have an event loop in this thread.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    with browser() as running:
        yield running


@pytest.fixture(scope="package")
def redis_server() -> Iterator[RedisServer]:
    """A server for the shop alone: it's filled once."""
    with RedisServer() as server:
        yield server


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop, open to browsers; tests act on its jobs inside `app.app_context()`."""

    app: Flask
    site: Site

    @property
    def home(self) -> str:
        """The address of the overview."""
        return self.site.url + shop.HOME

    @property
    def queue(self) -> FlaskQueue:
        """The jobs."""
        found: FlaskQueue = self.app.extensions["queue"]
        return found


@pytest.fixture(scope="package")
def filled(redis_server: RedisServer) -> Iterator[Shop]:
    """The shop, filled; thumbnails are being made while it's open."""
    app = shop.make_app(redis_server.url, queues=[Queue(hostile.QUEUE, concurrency=1)], jobs=hostile.JOBS)
    shop.closing_time.clear()
    with app.app_context():
        hostile.dispatch()
    shop.run_all(app, {hostile.QUEUE: 1})
    shop.fill(app)
    with Site(app) as site, shop.working(app, {"images": 1}):
        yield Shop(app, site)
        shop.closing_time.set()
    broker_of(app).close()


@pytest.fixture
def here(filled: Shop) -> Iterator[Shop]:
    """The shop, inside its app's context; queues that the test paused are resumed after it."""
    with filled.app.app_context():
        yield filled
        for name in filled.queue.paused().keys() - {"reports"}:
            filled.queue.resume(name)


class Visitor:
    """Somebody with a browser of their own, who looks at the shop's dashboard."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        context.set_default_timeout(PATIENCE_MS)
        self.context = context
        self.watch = Watch(context, home.removesuffix(shop.HOME))
        self.page = context.new_page()
        self._home = home

    def open(self, path: str = "") -> Page:
        """Go to a page of the dashboard."""
        self.page.goto(self._home + path)
        return self.page


class Visit(Protocol):
    """Lets somebody come, with Playwright's options of a browser context."""

    def __call__(self, **options: Any) -> Visitor: ...


@pytest.fixture
def visit(chromium: Browser, filled: Shop) -> Iterator[Visit]:
    """Lets visitors come. What must not happen in a browser, and was not forgiven, fails the test."""
    visitors = list[Visitor]()

    def come(**options: Any) -> Visitor:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        visitors.append(Visitor(context, filled.home))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.context.close()
    assert [fault for visitor in visitors for fault in visitor.watch.faults] == []


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """Somebody with a usual browser."""
    return visit()
