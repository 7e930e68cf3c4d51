"""The page about internals knows what there is: every key, every script, every thread, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "internals.md").read_text()
LUA = ROOT / "flask_queue" / "store" / "lua"


def told(heading: str) -> str:
    """The text below a heading."""
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_scripts() -> None:
    """Each once, with the one that calls it."""
    rows = re.findall(r"^\| \w.*?\| (`.+`) \|$", told("Scripts"), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(path.stem for path in LUA.glob("*.lua"))


def test_keys() -> None:
    """Those that scripts declare, and those that they name by what they find."""
    rows = re.findall(r"^\| (`.+?) \|", told("What is in Redis"), re.MULTILINE)
    keys = {re.sub(r":<.*", "", key) for key in re.findall(r"`([^`]+)`", "".join(rows))}
    keys |= set(re.findall(r"`(workers|info|requests)`", told("What is in Redis")))
    scripts = [path.read_text() for path in LUA.rglob("*.lua")]
    declared = {key for text in scripts for line in _key_lines(text) for key in line.split()}
    built = {name for text in scripts for name in re.findall(r"tag \.\. ':(logs|id|by:\w+):'", text)}
    assert keys == declared | built


def test_threads() -> None:
    """Those that a worker names."""
    sources = "".join(path.read_text() for path in (ROOT / "flask_queue" / "worker").glob("*.py"))
    named = set(re.findall(r'name=f?"(fq-[\w{}-]+)"', sources))
    # These pass, or belong to the supervisor and to what it has started.
    passing = {"fq-knock", "fq-leash", "fq-child-{self.pid}"}
    rows = set(re.findall(r"`(fq-[\w<>-]+)`", told("Threads and processes")))
    assert {re.sub(r"{queue}-{number}", "<queue>-<n>", name) for name in named - passing} == rows


def _key_lines(text: str) -> list[str]:
    found: list[str] = re.findall(r"^-- KEYS: (.+(?:\n--  +.+)*)$", text, re.MULTILINE)
    return [re.sub(r"\n--", " ", lines) for lines in found]


def test_the_folder_is_there() -> None:
    """So that none of these passes on nothing."""
    assert len(list(Path(LUA).glob("*.lua"))) > 30
