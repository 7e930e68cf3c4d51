"""Commands that change single jobs: cancel, promote, reschedule, duplicate, delete."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from flask_queue import JobNotFound, JobRecord, JobState
from tests.cli import program

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from tests.cli.conftest import Invoke
    from tests.cli.processes import CommandLine


def delayed() -> JobRecord:
    """A job that is not due."""
    return program.Add.options(delay_s=3600).dispatch(1)


def test_cancel_and_promote_tell_each_job(app: Flask, invoke: Invoke) -> None:
    """A line a job with its state after that."""
    first, second, third = delayed(), delayed(), delayed()
    result = invoke("promote", first.id, second.id)
    assert (result.exit_code, result.stdout) == (0, f"{first.id} waiting\n{second.id} waiting\n")
    result = invoke("cancel", first.id, third.id)
    assert (result.exit_code, result.stdout) == (0, f"{first.id} cancelled\n{third.id} cancelled\n")


def test_cancel_asks_a_running_job(app: Flask, invoke: Invoke, claim: Callable[[], None]) -> None:
    """And says that it does not end now."""
    job = program.Add.dispatch(1)
    claim()
    assert invoke("cancel", job.id).stdout == f"{job.id} active (asked to stop)\n"


@pytest.mark.parametrize("command", ["cancel", "promote", "delete"])
def test_a_command_does_what_it_can(
    app: Flask, invoke: Invoke, work: Callable[[], None], claim: Callable[[], None], command: str
) -> None:
    """One wrong id does not keep the others from being changed, and the command fails."""
    wrong = program.Add.dispatch(1)
    if command == "delete":
        claim()
    else:
        work()
    job = delayed()
    result = invoke(command, wrong.id, "default:nope", job.id)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{job.id} ")
    assert len(result.stdout.splitlines()) == 1
    refused, unknown = result.stderr.splitlines()
    assert refused.startswith(f"Error: Job '{wrong.id}' is ")
    assert unknown.startswith("Error: No job 'default:nope'.")


def test_json_is_an_array_of_records(app: Flask, invoke: Invoke) -> None:
    """Of those that were changed, as they are now, without secrets."""
    job = program.Boom.options(delay_s=3600).dispatch("s3cret")
    for command, state in (("promote", "waiting"), ("cancel", "cancelled"), ("retry", "waiting")):
        result = invoke(command, job.id, "default:nope", "--json")
        assert result.exit_code == 1
        [record] = json.loads(result.stdout)
        assert (record["id"], record["state"], record["payload"]) == (job.id, state, {"token": "•••"})


def test_reschedule_takes_a_moment_or_a_length(app: Flask, invoke: Invoke) -> None:
    """A moment with its zone, or in that of the machine; a length from now."""
    job = delayed()

    def scheduled() -> datetime:
        at = program.queue.get(job.id).scheduled_at
        assert at is not None
        return at

    result = invoke("reschedule", job.id, "--at", "2035-01-31T12:00:00+01:00")
    assert (result.exit_code, result.stdout) == (0, f"{job.id} delayed\n")
    assert scheduled() == datetime(2035, 1, 31, 11, tzinfo=UTC)
    invoke("reschedule", job.id, "--at", "2035-01-31 12:00")
    assert scheduled() == datetime(2035, 1, 31, 12).astimezone()
    for text, length in (("90", timedelta(seconds=90)), ("1.5h", timedelta(hours=1.5)), ("2d", timedelta(days=2))):
        record = json.loads(invoke("reschedule", job.id, "--in", text, "--json").stdout)
        assert datetime.fromisoformat(record["scheduled_at"]) == scheduled()
        assert abs(scheduled() - datetime.now(UTC) - length) < timedelta(seconds=10)


def test_duplicate_sends_a_job_once_more(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """As it was, or with arguments changed; the new id is printed."""
    job = program.Add.dispatch(1)
    same = invoke("duplicate", job.id).stdout.strip()
    changed = invoke("duplicate", job.id, '{"a": 40}').stdout.strip()
    piped = json.loads(invoke("duplicate", job.id, "-", "--json", input='{"b": 7}').stdout)
    work()
    assert [program.queue.get(each).result for each in (same, changed, piped["id"])] == [3, 42, 8]


def test_delete_leaves_nothing(app: Flask, invoke: Invoke) -> None:
    """A line a job; without a terminal nothing is asked."""
    jobs = [delayed(), program.Add.dispatch(1)]
    result = invoke("delete", *(job.id for job in jobs))
    assert (result.exit_code, result.stdout) == (0, "".join(f"{job.id} deleted\n" for job in jobs))
    for job in jobs:
        with pytest.raises(JobNotFound):
            program.queue.get(job.id)


def test_delete_tells_ids_as_json(app: Flask, invoke: Invoke) -> None:
    """There are no records any more."""
    job = delayed()
    result = invoke("delete", job.id, "default:nope", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [job.id])


@pytest.mark.parametrize(
    ("words", "answer", "asked", "left"),
    [([], "n\n", True, 2), ([], "y\n", True, 0), (["--yes"], "", False, 0)],
    ids=["no", "yes", "--yes"],
)
def test_delete_of_many_asks_on_a_terminal(
    app: Flask, flask: CommandLine, words: list[str], answer: str, asked: bool, left: int
) -> None:
    """A person is asked before more than one job goes; --yes is the answer."""
    jobs = [delayed(), delayed()]
    done = flask.on_terminal(answer, "queue", "delete", *(job.id for job in jobs), *words)
    assert ("Delete 2 jobs?" in done.stderr) == asked
    assert done.returncode == (1 if left else 0)
    assert program.queue.counts()["default"]["delayed"] == left


def test_delete_of_one_job_asks_nothing(app: Flask, flask: CommandLine) -> None:
    """Its id was typed."""
    done = flask.on_terminal("", "queue", "delete", delayed().id)
    assert (done.returncode, program.queue.counts()["default"]["delayed"]) == (0, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cancel"], "Missing argument 'ID…'"),
        (["delete", "--yes"], "Missing argument 'ID…'"),
        (["reschedule", "x"], "Give either --at or --in."),
        (["reschedule", "x", "--at", "2035-01-31", "--in", "5"], "Give either --at or --in."),
        (["reschedule", "x", "--at", "tomorrow"], "'tomorrow': give a time as in 2030-01-31T12:00"),
        (["reschedule", "x", "--at", "0001-01-01"], "give a time as in"),
        (["reschedule", "x", "--in", "-5"], "'-5': give seconds, or a number with a unit"),
        (["reschedule", "x", "--in", "5y"], "'5y': give seconds, or a number with a unit"),
        (["reschedule", "x", "--in", "1e9"], "'1e9': give seconds, or a number with a unit"),
        (["reschedule", "x", "--in", "٣"], "give seconds, or a number with a unit"),
        (["reschedule", "x", "--in", "nan"], "give seconds, or a number with a unit"),
        (["reschedule", "x", "--in", "99999999999d"], "give at most 100 years"),
        (["duplicate", "x", "[1]"], "give an object with the arguments by name"),
        (["duplicate", "x", "{"], "this is no valid JSON"),
    ],
    ids=str,
)
def test_wrong_words_are_wrong_usage(invoke: Invoke, words: list[str], message: str) -> None:
    """Status 2, and what was wrong with what."""
    result = invoke(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{id}", '{{"c": 1}}'], "Add: $.c: there is no such argument"),
        (["{id}", '{{"a": NaN}}'], "Add: $.a: JSON has no nan"),
        (["default:nope"], "No job 'default:nope'"),
    ],
    ids=str,
)
def test_what_duplicate_refuses_is_an_error(app: Flask, invoke: Invoke, words: list[str], message: str) -> None:
    """One line, nothing is stored."""
    job = program.Add.dispatch(1)
    result = invoke("duplicate", *(word.format(id=job.id) for word in words))
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert message in line
    assert program.queue.counts()["default"]["waiting"] == 1


def test_job_ids_cannot_speak_to_the_terminal(app: Flask, invoke: Invoke) -> None:
    """Whatever was typed comes back as text."""
    for command in ("cancel", "promote", "delete", "duplicate"):
        result = invoke(command, "a\x1b[31m")
        assert result.exit_code == 1
        assert "\x1b" not in result.output


def test_the_audit_trail_names_the_user(app: Flask, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who typed it, as the system knows; under a number without a name, that."""
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    invoke("cancel", delayed().id)

    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    invoke("cancel", delayed().id)
    assert [entry.actor for entry in program.queue.audit().entries] == ["cli:4711", "cli:ada"]


def test_retry_takes_errors_and_tells_json(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """--error is that of retry_all; --json counts."""
    program.Boom.dispatch()
    work()
    assert json.loads(invoke("retry", "--all", "--error", "KeyError", "--json").stdout) == {"retried": 0}
    assert json.loads(invoke("retry", "--all", "--error", "ValueError", "--json").stdout) == {"retried": 1}
    assert [record.state for record in program.queue.jobs().records] == [JobState.WAITING]
