"""Commands that look at jobs: status, jobs, show, logs."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partialmethod
from typing import TYPE_CHECKING, Any

from flask_queue.store.queries import Queries
from tests.cli import program

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from flask import Flask

    from tests.cli.conftest import Invoke
    from tests.cli.processes import CommandLine


def test_status_counts_every_queue(app: Flask, invoke: Invoke) -> None:
    """A line a queue for people, `{queue: {state: n}}` for programs."""
    program.Add.options(delay_s=60).dispatch(1)
    program.Add.dispatch(1)
    table = invoke("status").stdout.splitlines()
    assert table[0].split() == ["QUEUE", "WAITING", "DELAYED", "ACTIVE", "COMPLETED", "FAILED", "CANCELLED"]
    assert [line.split() for line in table[1:]] == [
        ["default", "1", "1", "0", "0", "0", "0"],
        ["emails", "0", "0", "0", "0", "0", "0"],
    ]
    assert json.loads(invoke("status", "--json").stdout) == program.queue.counts()


def test_jobs_lists_what_was_asked_for(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """By state, queue and name, in the order of the contract."""
    boom, nap = program.Boom.dispatch(), program.Nap.options(delay_s=90).dispatch("x", 0)
    work()
    first, second = program.Add.dispatch(1), program.Add.dispatch(2)

    def ids(*options: str) -> list[str]:
        return [line.split()[0] for line in invoke("jobs", *options).stdout.splitlines()[1:]]

    assert ids("--state", "waiting") == [first.id, second.id]
    assert ids("--queue", "emails") == [nap.id]
    assert ids("--name", "Boom") == [boom.id]
    assert sorted(ids()) == sorted([first.id, second.id, boom.id, nap.id])
    (line,) = invoke("jobs", "--state", "failed").stdout.splitlines()[1:]
    assert line.split() == [boom.id, "Boom", "failed", "2", "0", "s", "ago", "ValueError:", "no", r"\x1b[31mred"]
    assert "in 89 s" in invoke("jobs", "--queue", "emails").stdout or "in 90 s" in invoke("jobs").stdout
    assert invoke("jobs", "--name", "Nope").stdout == "No such jobs.\n"


def test_jobs_goes_on_where_it_ended(app: Flask, invoke: Invoke) -> None:
    """The cursor is told apart from the listing, so that JSON stays JSON."""
    jobs = [program.Add.dispatch(n) for n in range(3)]
    first = invoke("jobs", "--limit", "2", "--json")
    assert [record["id"] for record in json.loads(first.stdout)] == [jobs[0].id, jobs[1].id]
    cursor = first.stderr.split()[-1]
    second = invoke("jobs", "--limit", "2", "--json", "--cursor", cursor)
    assert [record["id"] for record in json.loads(second.stdout)] == [jobs[2].id]
    assert second.stderr == ""


def test_jobs_finds_what_is_searched(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """By error, argument, text and time; a wrong term is wrong usage, which says what to do."""
    boom = program.Boom.dispatch()
    work()
    seven, eight = program.Add.dispatch(7), program.Add.dispatch(8)

    def ids(*options: str) -> list[str]:
        return [record["id"] for record in json.loads(invoke("jobs", "--json", *options).stdout)]

    assert ids("--search", "args.a:7") == [seven.id]
    assert ids("--search", "state:failed boom") == ids("--error", "valueerror: no") == [boom.id]
    assert ids("--search", "state:failed", "--name", "Add") == ids("--tag", "vip") == []
    assert ids("--since", "1h", "--name", "Add") == [seven.id, eight.id]
    assert ids("--until", "1h") == ids("--since", "2090-01-01T00:00Z") == []
    assert ids("--until", "2090-01-01", "--state", "failed", "--since", "90") == [boom.id]
    wrong = {"--search": "user:7", "--since": "soon", "--until": "9x", "--cursor": "x"}
    told = {option: invoke("jobs", option, value) for option, value in wrong.items()}
    assert [result.exit_code for result in told.values()] == [2] * 4
    for option, words in zip(wrong, ("is no qualifier", "give a time", "a unit", "this cursor is not"), strict=True):
        assert words in told[option].stderr


def test_jobs_goes_on_until_it_has_enough(app: Flask, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a page ends because its time is over."""
    monkeypatch.setattr("flask_queue.store.queries.Queries.page", partialmethod(Queries.page, within_s=0))
    jobs = [program.Add.dispatch(number % 700) for number in range(1400)]
    found = json.loads(invoke("jobs", "--search", "args.a:699", "--json").stdout)
    assert [record["id"] for record in found] == [jobs[699].id, jobs[1399].id]


def test_show_tells_the_whole_story(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """Payload, times, every run with its error, the traceback."""
    job = program.Boom.dispatch("s3cret")
    work()
    page = invoke("show", job.id).stdout
    assert page.startswith(f'Boom  {job.id}\n  state       failed\n  payload     {{"token": "•••"}}\n')
    runs = page[page.index("Runs\n") : page.index("Error\n")].splitlines()[2:]
    assert [line.split()[:2] for line in runs if line] == [["1", "retried"], ["2", "failed"]]
    assert page.endswith('    raise ValueError("no \\x1b[31mred")\n  ValueError: no \\x1b[31mred\n')
    assert "s3cret" not in page
    assert invoke("show", job.id.removeprefix("default:")).stdout.startswith(f"Boom  {job.id}\n")


def test_show_prints_the_record_as_json(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """Every field by its name in the contract, moments in ISO 8601 with their zone."""
    job = program.Boom.dispatch()
    work()
    data = json.loads(invoke("show", job.id, "--json").stdout)
    record = program.queue.get(job.id)
    assert record.error is not None
    assert (data["id"], data["state"], data["attempts"], data["payload"]) == (job.id, "failed", 2, {"token": "•••"})
    assert data["error"]["message"] == record.error.message
    assert [attempt["outcome"] for attempt in data["history"]] == ["retried", "failed"]
    for key in ("created_at", "started_at", "finished_at"):
        assert datetime.fromisoformat(data[key]) == getattr(record, key)
    # Its second run was due after a back-off.
    assert data["created_at"] < data["scheduled_at"] <= data["started_at"]


def test_secrets_are_shown_nowhere(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """Neither in a payload nor in a result, whatever the form."""
    data: Any = {"apiKey": "s3cret", "list": [{"user-token": "s3cret"}]}
    job = program.Echo.dispatch(data)
    work()
    for words in (["jobs"], ["jobs", "--json"], ["show", job.id], ["show", job.id, "--json"]):
        shown = invoke(*words).stdout
        assert "s3cret" not in shown
        assert "•••" in shown
    hidden = {"apiKey": "•••", "list": [{"user-token": "•••"}]}
    record = json.loads(invoke("show", job.id, "--json").stdout)
    assert (record["payload"], record["result"]) == ({"data": hidden}, hidden)


def test_secrets_in_a_result_that_was_cut_are_not_shown(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """It is no JSON any more: what is behind a secret key is left out."""
    job = program.Echo.dispatch({"user": 7, "apiK\u0065y": "s3cret", "text": "x" * 70_000})
    work()
    assert program.queue.get(job.id).result_cut
    for words in (["show", job.id], ["show", job.id, "--json"], ["jobs", "--json"]):
        shown = invoke(*words).stdout
        assert "s3cret" not in shown
        assert "•••" in shown
    assert json.loads(invoke("show", job.id, "--json").stdout)["result"] == '{"user":7,"apiKey": •••'


def test_job_data_cannot_speak_to_the_terminal(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """Escape sequences come out as text in every form, and JSON still means the same."""
    evil = "\x1b]0;title\x07\x9b2J\u202e\r\n\U000e0001"
    job = program.Echo.dispatch(evil)
    work()
    for words in (["jobs"], ["jobs", "--json"], ["show", job.id], ["show", job.id, "--json"], ["logs", job.id]):
        shown = invoke(*words).stdout
        assert [char for char in shown if char != "\n" and not char.isprintable()] == []
    assert json.loads(invoke("show", job.id, "--json").stdout)["result"] == evil


def test_a_terminal_that_lacks_characters_gets_escapes(app: Flask, flask: CommandLine) -> None:
    """No command ends with an encoding error; JSON stays JSON."""
    job = program.Echo.dispatch("漢字 \U0001f600")
    assert r"\u6f22" in flask.run("queue", "show", job.id, PYTHONIOENCODING="ascii").stdout
    (record,) = json.loads(flask.run("queue", "jobs", "--json", PYTHONIOENCODING="ascii").stdout)
    assert record["payload"] == {"data": "漢字 \U0001f600"}


def test_logs_are_printed_line_by_line(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """Oldest first; an array of lines for programs."""
    job = program.Echo.dispatch("x")
    work()
    assert invoke("logs", job.id).stdout == "got\n'x'\n"
    assert json.loads(invoke("logs", job.id, "--json").stdout) == ["got", "'x'"]


def test_a_job_that_is_not_there_is_an_error(invoke: Invoke) -> None:
    """Whether or not its id could be one."""
    for job_id in ("nope", "default:nope", "nope:x", "default:", "a b", "\udcff"):
        for command in ("show", "logs", "retry"):
            result = invoke(command, job_id)
            assert (result.exit_code, result.stdout) == (1, "")
            assert len(result.stderr.splitlines()) == 1
            assert result.stderr.startswith("Error: No job ")


def test_wrong_options_are_wrong_usage(invoke: Invoke) -> None:
    """Status 2, and what was wrong with what."""
    for words, message in (
        (["--state", "broken"], "'broken' is not one of 'waiting'"),
        (["--queue", "nope\x1b"], r"No queue 'nope\x1b' is configured (configured: default, emails)"),
        (["--limit", "0"], "0 is not in the range"),
        (["--cursor", "garbage"], "this cursor is not one of"),
        (["--cursor", "LTEuNQ=="], "this cursor is not one of"),  # -1.5
        (["--cursor", "MC4tNQ=="], "this cursor is not one of"),  # 0.-5
        (["--cursor", "\udcff"], "this cursor is not one of"),
    ):
        result = invoke("jobs", *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr
