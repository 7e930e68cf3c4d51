"""Commands that change something: dispatch, retry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from flask_queue import JobRecord, JobState
from tests.cli import program

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from tests.cli.conftest import Invoke
    from tests.cli.processes import CommandLine


def test_dispatch_stores_a_job_and_prints_its_id(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """Defaults are filled in, as by Job.dispatch."""
    result = invoke("dispatch", "Add", '{"a": 40}')
    assert result.exit_code == 0
    work()
    record = program.queue.get(result.stdout.strip())
    assert (record.payload, record.result) == ({"a": 40, "b": 2}, 42)


def test_dispatch_takes_a_delay_and_tells_the_record(app: Flask, invoke: Invoke) -> None:
    """--delay-s is options(delay_s=…); --json prints what dispatch returned."""
    data = json.loads(invoke("dispatch", "Boom", '{"token": "t"}', "--delay-s", "90.5", "--json").stdout)
    record = program.queue.get(data["id"])
    assert record.state is JobState.DELAYED
    assert record.scheduled_at is not None
    assert record.created_at is not None
    assert (record.scheduled_at - record.created_at).total_seconds() == 90.5
    assert (data["state"], data["payload"]) == ("delayed", {"token": "•••"})


def test_dispatch_reads_standard_input(app: Flask, invoke: Invoke) -> None:
    """A command line holds 128 KiB, a payload may have more."""
    result = invoke("dispatch", "Echo", "-", input=json.dumps({"data": "x" * 500_000}))
    assert result.exit_code == 0
    assert len(program.queue.get(result.stdout.strip()).payload["data"]) == 500_000


@pytest.mark.parametrize(
    ("name", "payload", "message"),
    [
        ("Add", "{}", "Add: $.a: the argument is missing; handle takes (a, b)"),
        ("Add", '{"a": 1, "c": 1}', "Add: $.c: there is no such argument"),
        ("Add", '{"a": {"b": [NaN]}}', "Add: $.a.b[0]: JSON has no nan"),
        ("Add", '{"a": "\\ud800"}', "Add: $.a: the text has a lone surrogate"),
        ("Add", json.dumps({"a": "x" * 2_000_000}), "The payload has 2,000,014 bytes of JSON"),
        ("Add", '{"a":' + "[" * 200 + "]" * 200 + "}", "levels deep"),
        ("Nope", "{}", "No job named 'Nope' is registered with this app (registered: Add, Boom, Collect, Echo"),
        ("plain", "{}", "plain is a plain actor, not a Job class"),
    ],
)
def test_what_dispatch_refuses_is_an_error(invoke: Invoke, name: str, payload: str, message: str) -> None:
    """One line, nothing is stored."""
    result = invoke("dispatch", name, "-", input=payload)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert message in line
    assert sum(program.queue.counts()["default"].values()) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Add", "{"], "this is no valid JSON"),
        (["Add", "["], "this is no valid JSON"),
        (["Add", "[" * 100_000], "this is no valid JSON: it is too deep"),
        (["Add", '{"a": 1' + "0" * 5000 + "}"], "this is no valid JSON"),
        (["Add", "[1]"], "give an object with the arguments by name"),
        (["Add", '{"a": 1}', "--delay-s", "-1"], "at least 0"),
        (["Add", '{"a": 1}', "--delay-s", "nan"], "at least 0"),
        (["Add"], "Missing argument 'JSON'"),
    ],
)
def test_a_malformed_dispatch_is_wrong_usage(invoke: Invoke, words: list[str], message: str) -> None:
    """Status 2, nothing is stored."""
    result = invoke("dispatch", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.fixture
def failed(app: Flask, work: Callable[[], None]) -> list[JobRecord]:
    """Two jobs that failed."""
    jobs = [program.Boom.dispatch(), program.Boom.dispatch()]
    work()
    return [program.queue.get(job.id) for job in jobs]


def test_retry_puts_jobs_back(invoke: Invoke, failed: list[JobRecord]) -> None:
    """Attempts are counted anew, the history stays."""
    result = invoke("retry", *(record.id for record in failed))
    assert result.exit_code == 0
    assert result.stdout == "".join(f"{record.id} waiting\n" for record in failed)
    record = program.queue.get(failed[0].id)
    assert (record.state, record.attempts, len(record.history)) == (JobState.WAITING, 0, 2)


def test_retry_does_what_it_can(invoke: Invoke, failed: list[JobRecord]) -> None:
    """One wrong id does not keep the others from being retried, and the command fails."""
    waiting = program.Add.dispatch(1)
    result = invoke("retry", "default:nope", waiting.id, failed[0].id)
    assert (result.exit_code, result.stdout) == (1, f"{failed[0].id} waiting\n")
    assert result.stderr.splitlines() == [
        "Error: No job 'default:nope'. It never existed, was deleted, or retention removed it.",
        f"Error: Job '{waiting.id}' is waiting; this needs a job that is failed or cancelled.",
    ]


def test_retry_all_takes_failed_jobs_that_match(invoke: Invoke, failed: list[JobRecord]) -> None:
    """Of one queue and name, or all; without a terminal nothing is asked."""
    assert invoke("retry", "--all", "--queue", "emails").stdout == "0 jobs retried\n"
    assert invoke("retry", "--all", "--name", "Add").stdout == "0 jobs retried\n"
    assert invoke("retry", "--all", "--tag", "vip").stdout == "0 jobs retried\n"
    assert invoke("retry", failed[0].id).exit_code == 0
    assert invoke("retry", "--all", "--queue", "default", "--name", "Boom").stdout == "1 job retried\n"
    assert program.queue.counts()["default"]["waiting"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name jobs by their ids, or give --all."),
        (["--all", "x"], "Name jobs by their ids, or give --all."),
        (["x", "--queue", "default"], "--queue, --name, --error and --tag go with --all."),
        (["x", "--tag", "vip"], "--queue, --name, --error and --tag go with --all."),
        (["--all", "--queue", "nope"], "No queue 'nope' is configured"),
    ],
)
def test_a_contradiction_is_wrong_usage(invoke: Invoke, words: list[str], message: str) -> None:
    """Nothing is retried by guessing."""
    result = invoke("retry", *words)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(("words", "answer", "retried"), [([], "n\n", 0), ([], "y\n", 2), (["--yes"], "", 2)])
def test_retry_all_asks_on_a_terminal(
    flask: CommandLine, failed: list[JobRecord], words: list[str], answer: str, retried: int
) -> None:
    """A person is asked before many jobs run again; --yes is the answer."""
    done = flask.on_terminal(answer, "queue", "retry", "--all", "--name", "Boom", *words)
    assert ("Retry all failed Boom jobs (2)?" in done.stderr) == (not words)
    assert done.returncode == (0 if retried else 1)
    assert program.queue.counts()["default"]["waiting"] == retried


def test_input_that_is_no_text_is_wrong_usage(invoke: Invoke) -> None:
    """Binary data on standard input, as of a file that was mistaken."""
    result = invoke("dispatch", "Add", "-", input=b"\xff")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "this is no valid JSON: " in result.stderr
