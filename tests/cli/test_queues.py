"""Commands that change whole queues: clean, pause, resume."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli import program

if TYPE_CHECKING:
    from flask import Flask

    from tests.cli.conftest import Invoke
    from tests.cli.processes import CommandLine


def test_clean_deletes_and_counts(app: Flask, invoke: Invoke) -> None:
    """Jobs of one queue and state, old ones, so many at most; without a terminal nothing is asked."""
    for _ in range(4):
        program.Add.dispatch(1)
    program.Nap.dispatch("x", 0)
    assert invoke("clean", "default", "--state", "failed").stdout == "0 jobs deleted\n"
    assert invoke("clean", "default", "--state", "waiting", "--older-than", "1h").stdout == "0 jobs deleted\n"
    assert invoke("clean", "default", "--state", "waiting", "--limit", "1").stdout == "1 job deleted\n"
    result = invoke("clean", "default", "--state", "waiting", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"deleted": 3})
    assert [program.queue.counts()[name]["waiting"] for name in ("default", "emails")] == [0, 1]


@pytest.mark.parametrize(
    ("words", "answer", "question", "left"),
    [
        ([], "n\n", "Delete all waiting jobs of default (2)?", 2),
        ([], "y\n", "Delete all waiting jobs of default (2)?", 0),
        (["--limit", "1"], "y\n", "Delete up to 1 waiting jobs of default (2)?", 1),
        (["--yes"], "", "", 0),
    ],
    ids=["no", "yes", "limit", "--yes"],
)
def test_clean_asks_on_a_terminal(
    app: Flask, flask: CommandLine, words: list[str], answer: str, question: str, left: int
) -> None:
    """A person is asked before many jobs go; --yes is the answer."""
    for _ in range(2):
        program.Add.dispatch(1)
    done = flask.on_terminal(answer, "queue", "clean", "default", "--state", "waiting", *words)
    assert question in done.stderr
    assert ("?" in done.stderr) == bool(question)
    assert done.returncode == (1 if answer == "n\n" else 0)
    assert program.queue.counts()["default"]["waiting"] == left


def test_pause_and_resume_are_told(app: Flask, invoke: Invoke) -> None:
    """At once, and by status as long as it lasts; the JSON of status stays what it was."""
    assert invoke("pause", "emails").stdout == "emails is paused\n"
    assert invoke("pause", "default", "--reason", "server\x1b moves").stdout == "default is paused: server\\x1b moves\n"
    assert program.queue.paused() == {"default": "server\x1b moves", "emails": ""}
    status = invoke("status").stdout.splitlines()
    assert status[-2:] == ["default is paused: server\\x1b moves", "emails is paused"]
    assert json.loads(invoke("status", "--json").stdout) == program.queue.counts()
    for name in ("emails", "default", "default"):
        assert invoke("resume", name).stdout == f"{name} is not paused\n"
    assert "paused" not in invoke("status").stdout


def test_pause_and_resume_are_told_as_json(invoke: Invoke) -> None:
    """What holds of the queue then."""
    paused = json.loads(invoke("pause", "emails", "--reason", "moving", "--json").stdout)
    assert paused == {"queue": "emails", "paused": True, "reason": "moving"}
    assert json.loads(invoke("resume", "emails", "--json").stdout) == {**paused, "paused": False, "reason": ""}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pause", "nope"], "No queue 'nope' is configured (configured: default, emails)"),
        (["resume", "nope\x1b"], r"No queue 'nope\x1b' is configured"),
        (["clean", "nope", "--state", "failed"], "No queue 'nope' is configured"),
        (["clean", "default"], "Missing option '--state'"),
        (["clean", "default", "--state", "active"], "'active' is not one of 'waiting', 'delayed', 'completed'"),
        (["clean", "default", "--state", "failed", "--limit", "0"], "0 is not in the range"),
        (["clean", "default", "--state", "failed", "--older-than", "-1"], "give seconds, or a number with a unit"),
        (["pause"], "Missing argument 'QUEUE'"),
    ],
    ids=str,
)
def test_wrong_words_are_wrong_usage(invoke: Invoke, words: list[str], message: str) -> None:
    """Status 2, and what was wrong with what."""
    result = invoke(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
