"""What the dashboard ships: files of others unchanged, and templates that a strict content policy lets through."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import flask_queue

ADMIN = Path(flask_queue.__path__[0], "admin")
VENDOR = ADMIN / "static" / "vendor"
TEMPLATES = sorted((ADMIN / "templates").rglob("*.html"))
#: Jinja's own marks, which are no HTML.
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


def rows() -> dict[str, list[str]]:
    """The lines of VENDOR.txt: file → project, version, licence, sha256."""
    lines = (VENDOR / "VENDOR.txt").read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines[1:] if line.strip()]
    return {name: rest for name, *rest in cells}


def test_files_of_other_projects_are_what_they_were() -> None:
    """Each file is listed with its project, version and licence, and is, byte for byte, the one that was published."""
    for name, (project, version, licence, digest) in rows().items():
        assert project
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
        assert (VENDOR / licence.rpartition("see ")[2]).is_file(), "their licences want to be kept with them"


def test_every_vendored_file_is_listed() -> None:
    """Nothing gets in unseen."""
    licences = {licence.rpartition("see ")[2] for _, _, licence, _ in rows().values()}
    assert {path.name for path in VENDOR.iterdir()} == {*rows(), *licences, "VENDOR.txt"}


class Inline(HTMLParser):
    """Finds what the content policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note inline style, handlers, scripts, and addresses that are scripts."""
        names = {name for name, _ in attrs}
        here = f"line {self.getpos()[0]}: <{tag}"
        self.faults += [f"{here} {name}" for name in names if name == "style" or name.startswith("on")]
        self.faults += [f"{here}>" for _ in range(tag == "style" or (tag == "script" and "src" not in names))]
        self.faults += [
            f"{here} {value}" for _, value in attrs if (value or "").strip().lower().startswith("javascript:")
        ]


def faults_of(template: str) -> list[str]:
    """What of a template a strict content policy would refuse."""
    finder = Inline()
    finder.feed(_JINJA.sub(lambda mark: re.sub(r"[^\n]", "_", mark[0]), template))
    return finder.faults


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_inline_script_or_style(path: Path) -> None:
    """Neither elements nor attributes, wherever an expression puts them."""
    text = path.read_text()
    assert faults_of(text) == []
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), "also inside of Jinja's own marks"


@pytest.mark.parametrize(
    "bad",
    [
        '<p style="color: red">',
        "<style>p {}</style>",
        "<script>go()</script>",
        "<a onclick='go()'>",
        '<a href="javascript:go()">',
        "<svg onload=go()>",
    ],
)
def test_the_check_finds_what_it_looks_for(bad: str) -> None:
    """A check that cannot fail is none."""
    assert faults_of(f"{{% if x %}}\n{bad}{{% endif %}}")
