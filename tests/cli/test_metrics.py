"""What happened lately, as the command line tells it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.cli import program

if TYPE_CHECKING:
    from flask import Flask

    from tests.cli.conftest import Invoke


def test_each_step_is_a_line(app: Flask, invoke: Invoke) -> None:
    """Where nothing ran there are no times."""
    program.Add.dispatch(1)
    head, *lines = invoke("metrics", "default", "--minutes", "120", "--step", "60").stdout.splitlines()
    assert head.startswith("FROM (UTC)")
    assert [line.split()[-2:] for line in lines] == [["-", "-"]] * 2
    assert sum(int(line.split()[2]) for line in lines) == 1


def test_json_has_the_names_of_the_call(app: Flask, invoke: Invoke) -> None:
    """One object a step, the oldest first."""
    program.Add.dispatch(1)
    steps = json.loads(invoke("metrics", "--minutes", "20", "--step", "10", "--json").stdout)
    assert [set(step) for step in steps] == [
        {"at", "dispatched", "completed", "failed", "retried", "runtime_ms", "wait_ms"}
    ] * 2
    newest = datetime.fromisoformat(steps[-1]["at"])
    assert newest <= datetime.now(UTC) < newest + timedelta(minutes=11)
    assert [step["dispatched"] for step in steps].count(1) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--minutes", "0"], "metrics(minutes=0)"),
        (["--step", "0"], "metrics(step_minutes=0)"),
        (["--minutes", "1441"], "from 5 to 1,440"),
        (["--minutes", "10081", "--step", "60"], "from 60 to 10,080"),
        (["--minutes", "9", "--step", "10"], "from 10 to 1,440"),
    ],
    ids=" ".join,
)
def test_wrong_spans_are_wrong_usage(app: Flask, invoke: Invoke, words: list[str], says: str) -> None:
    """They are told with their bounds."""
    result = invoke("metrics", *words)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr
