"""The documentation as a site: built strictly, whole, and from this host alone."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

import flask_queue
from flask_queue import signals, testing
from flask_queue.cli import queue_cli
from tests.docs.pages import PAGES, ROOT, blocks, headings

#: Public, and neither in `flask_queue` itself nor in a module whose `__all__` tells.
OTHERS = {
    "admin.desk.Desk",
    "admin.views.QueueView",
    "bulk.Applied",
    "bulk.Bulk",
    "bulk.BulkStep",
    "monitor.Monitor",
    "tracing.Tracing",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """The built pages. A warning would end the build: an unknown page, heading or name, or a page that no menu has."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder)]
    environment = {key: value for key, value in os.environ.items() if key != "COVERAGE_PROCESS_CONFIG"}
    build = subprocess.run(
        command, cwd=pytestconfig.rootpath, env=environment, capture_output=True, text=True, check=False
    )
    assert build.returncode == 0, build.stdout + build.stderr
    return folder


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    """No script, style, font, picture or form leads elsewhere; links for readers may."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    loaded = {url for page in pages for url in Loaded.by(page.read_text())}
    loaded |= {
        url for style in site.rglob("*.css") for url in re.findall(r"""url\(["']?([^)"']+)""", style.read_text())
    }
    assert not [url for url in loaded if re.match(r"(\w+:)?//", url)]
    assert any(url.endswith(".css") or ".css?" in url for url in loaded)
    assert not [style for style in site.rglob("*.css") if "@import" in style.read_text()]


def test_every_command_has_its_section(site: Path) -> None:
    """Made from the command itself."""
    page = (site / "commands.html").read_text()
    text = unescape(re.sub(r"<[^>]+>", "", page))
    for name, command in queue_cli.commands.items():
        assert f'id="{name}"' in page
        assert str(command.epilog).splitlines()[-1].strip() in text, name


def test_every_public_name_has_its_place(site: Path) -> None:
    """On the page about the API, and no other has."""
    page = (site / "api.html").read_text()
    documented = {id_ for id_ in re.findall(r'id="flask_queue\.([\w.]+)"', page) if not re.match(r"[A-Z]\w+\.", id_)}
    names = {*flask_queue.__all__, *(f"signals.{name}" for name in signals.__all__)}
    names |= {*OTHERS, *(f"testing.{name}" for name in testing.__all__)}
    assert {id_ for id_ in documented if not re.search(r"\.[A-Z]\w+\.", id_)} == names


def test_what_pages_import_is_public() -> None:
    """Whatever a page or the example app takes from flask-queue stands on the page about the API."""
    names = {*flask_queue.__all__, *OTHERS, "signals", "testing"}
    names |= {f"{module.__name__.partition('.')[2]}.{name}" for module in (signals, testing) for name in module.__all__}
    programs = [block.code for page in PAGES for block in blocks(page, "python")]
    # Its demo is no model for apps.
    programs += [path.read_text() for path in (ROOT / "example_app").glob("[!d]*/*.py")]
    programs += [path.read_text() for path in (ROOT / "example_app").glob("*.py")]
    found = set().union(*map(imported, programs))
    assert {"JobRecord", "bulk.Bulk", "tracing.Tracing"} <= found
    assert found <= names


def imported(program: str) -> set[str]:
    """What a program imports from flask-queue, by its name below that."""
    imports = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.ImportFrom) and node.module]
    return {
        f"{node.module}.{alias.name}".removeprefix("flask_queue.")
        for node in imports
        for alias in node.names
        if f"{node.module}.".startswith("flask_queue.")
    }


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_work_where_the_sources_are_read_too(page: Path) -> None:
    """A link in a page leads to a file of the repository and, after `#`, to a heading there."""
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        if re.match(r"\w+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not heading or heading in headings(target), link


class Loaded(HTMLParser):
    """The addresses that a page loads or sends to without being asked."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    @classmethod
    def by(cls, text: str) -> list[str]:
        """Those of a page."""
        parser = cls()
        parser.feed(text)
        return parser.urls

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what is no link for readers."""
        for name, value in attrs:
            if value and (name in {"src", "srcset", "action", "poster", "data"} or (name == "href" and tag == "link")):
                self.urls.append(value)
