"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def example() -> str:
    """The program that opens the README."""
    program: str = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)[0]
    return program


def test_the_example_is_short(example: str) -> None:
    """Whoever opens the page sees the whole of it: some 20 lines, before anything else to do."""
    assert len(example.splitlines()) <= 24
    assert README.read_text().index(example) < README.read_text().index("noxfile.py")


def test_the_example_stores_a_job(example: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its page answers with the id of a job that waits in Redis."""
    monkeypatch.setenv("QUEUE_REDIS_URL", redis_url)
    program: dict[str, Any] = {"__name__": "shop"}
    exec(compile(example, str(README), "exec", dont_inherit=True), program)
    answer = program["app"].test_client().post("/sign-up/7")
    assert answer.status_code == 200
    with program["app"].app_context():
        record = program["queue"].get(answer.get_json()["job"])
    assert (record.name, record.queue, record.state) == ("SendWelcomeEmail", "emails", "waiting")
    assert record.payload == {"user_id": 7, "plan": "free"}


def test_both_commands_are_there() -> None:
    """A newcomer finds how to see it work, and how to test it."""
    for command in ("python3 noxfile.py -s demo", "python3 noxfile.py -s tests"):
        assert command in README.read_text()
