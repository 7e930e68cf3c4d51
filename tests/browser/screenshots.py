"""Takes the pictures of README and docs: `python -m tests.browser.screenshots FOLDER`, as `nox -s screenshots` does."""

from __future__ import annotations

import logging
import sys
import sysconfig
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from PIL import Image

from flask_queue.current import broker_of
from tests.servers import RedisServer
from tests.support import wait_until

from . import history, shop
from .chromium import browser
from .site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

#: The pages, by the name of their pictures.
PAGES = {
    "overview": "",
    "jobs": "jobs/?state=failed",
    "job": "jobs/default:may.csv/",
    "failures": "failures/",
    "queue": "queue/images/",
    "workers": "workers/",
}
#: Width and height of the window in pixels, and the colour scheme.
LOOKS = {"light": (1280, 800, "light"), "dark": (1280, 800, "dark"), "mobile": (390, 844, "light")}
#: Of a picture's palette.
COLOURS = 96
#: Threads of the worker that is shown.
THREADS = {"default": 2, "emails": 4, "images": 2, "reports": 1}
#: Folders of this machine, and what a picture shows instead.
ELSEWHERE = {
    str(Path(shop.__file__)): "/srv/shop/jobs.py",
    "tests/browser/shop.py": "shop/jobs.py",
    sysconfig.get_path("stdlib"): "/usr/lib/python3",
}
#: Does that to every text of a page.
REPLACE = """names => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        for (const [ours, shown] of Object.entries(names)) {
            texts.currentNode.data = texts.currentNode.data.replaceAll(ours, shown);
        }
    }
}"""


def main(folder: Path) -> None:
    """Write `<page>-<look>.png` for each page and look."""
    folder.mkdir(parents=True, exist_ok=True)
    logging.disable()  # jobs fail, as they should
    with opened_shop() as home, browser() as running:
        for look in LOOKS:
            take(running, home, folder, look)


@contextmanager
def opened_shop() -> Iterator[str]:
    """The address of a dashboard with much to show; nothing on it is of this machine."""
    with RedisServer() as server, patch("socket.gethostname", return_value="worker-1"):
        app = shop.make_app(server.url)
        with app.app_context():
            for month in range(1, 13):
                shop.SendWelcomeEmail.dispatch_many([{"user_id": 9 * n + month % 8} for n in range(200)])
        shop.fill(app)
        history.write(app)
        with Site(app) as site, shop.working(app, THREADS), app.app_context():
            wait_until(lambda: app.extensions["queue"].counts()["images"]["active"] == THREADS["images"], 20)
            yield site.url + shop.HOME
            shop.closing_time.set()
        broker_of(app).close()


def take(running: Browser, home: str, folder: Path, look: str) -> None:
    """All pages in one look, each as far as its window reaches."""
    width, height, scheme = LOOKS[look]
    page = running.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if width < 500 else 1,
        locale="en-GB",
        timezone_id="UTC",
    )
    for name, path in PAGES.items():
        page.goto(home + path, wait_until="networkidle")
        page.evaluate(REPLACE, ELSEWHERE)
        file = folder / f"{name}-{look}.png"
        page.screenshot(path=file)
        # They are in the repository: a palette makes them a third as large.
        Image.open(file).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
