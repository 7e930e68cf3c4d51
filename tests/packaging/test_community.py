"""The forms of issues and pull requests are ones that the forge takes, and name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from flask_queue.cli import queue_cli

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms(path: Path) -> None:
    """Each has a name and what it is for; each field one label, and an id of its own."""
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["type"] in ("textarea", "input", "dropdown", "checkboxes") for field in fields)
    assert len({field["id"] for field in fields}) == len({field["attributes"]["label"] for field in fields})
    assert {command.split()[0] for command in re.findall(r"flask queue ([a-z-]+)", path.read_text())} <= set(
        queue_cli.commands
    )


def test_both_forms_are_there() -> None:
    """What is wrong, and what is missing."""
    assert [path.stem for path in FORMS] == ["bug", "idea"]


@pytest.mark.parametrize("path", [ROOT / "SECURITY.md", ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md"])
def test_links(path: Path) -> None:
    """Files that they name are there."""
    text = path.read_text()
    for name in [*re.findall(r"\]\(([\w/.-]+)\)", text), *re.findall(r"`?\b(\w+\.md)\b", text)]:
        assert (ROOT / name).exists() or (ROOT / "docs" / name).exists(), name
