"""`flask queue work` as a process: signals, outages, bursts, options."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from flask_queue import JobState
from tests.cli import program
from tests.cli.processes import let_a_moment_pass
from tests.servers import RedisServer
from tests.support import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from tests.cli.conftest import Invoke
    from tests.cli.processes import CommandLine, Running


def napping(flask: CommandLine, sign: Path, seconds: float, **settings: str) -> tuple[Running, str]:
    """A worker in whose hands a job naps."""
    job = program.Nap.dispatch(str(sign), seconds)
    worker = flask.start("queue", "work", **settings)
    wait_until(sign.exists, 20, what="the job runs")
    return worker, job.id


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_lets_running_jobs_finish(
    app: Flask, flask: CommandLine, tmp_path: Path, number: signal.Signals
) -> None:
    """The first signal ends the worker with 0, after the job that was running."""
    worker, job_id = napping(flask, tmp_path / "sign", 0.5)
    worker.send(number)

    assert worker.end() == 0
    assert program.queue.get(job_id).state is JobState.COMPLETED
    assert f"{number.name}: finishing what runs" in worker.printed
    assert "Traceback" not in worker.printed


def test_a_second_signal_ends_at_once(app: Flask, flask: CommandLine, tmp_path: Path) -> None:
    """Whoever asks twice does not wait for running jobs; the status says that it was not graceful."""
    worker, job_id = napping(flask, tmp_path / "sign", 60)
    worker.send(signal.SIGINT)
    worker.wait_for("SIGINT: finishing")
    let_a_moment_pass()
    time_s = time.monotonic()
    worker.send(signal.SIGTERM)

    assert worker.end() == 1
    assert time.monotonic() < time_s + 3
    assert worker.printed.endswith("SIGTERM again: ending at once; other workers take over what was running.\n")
    assert program.queue.get(job_id).state is JobState.ACTIVE


def test_a_second_signal_needs_no_reader(app: Flask, flask: CommandLine, tmp_path: Path) -> None:
    """The terminal, or who else showed its output, may be gone by then."""
    sign = tmp_path / "sign"
    program.Nap.dispatch(str(sign), 60)
    with flask.piped("queue", "work") as (worker, output, errors):
        wait_until(sign.exists, 20, what="the job runs")
        output.close()
        errors.close()
        worker.send_signal(signal.SIGTERM)
        let_a_moment_pass()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 1


@pytest.mark.untraced
def test_a_job_that_does_not_end_does_not_keep_the_process(app: Flask, flask: CommandLine, tmp_path: Path) -> None:
    """After the shutdown time the process ends all the same, with 0, and the job is back in its queue."""
    worker, job_id = napping(flask, tmp_path / "sign", 60, QUEUE_SHUTDOWN_TIMEOUT_S="1")
    worker.send(signal.SIGTERM)

    assert worker.end() == 0
    assert "Some job threads do not end" in worker.printed
    assert program.queue.get(job_id).state is JobState.WAITING


def test_a_burst_ends_when_nothing_is_left(app: Flask, flask: CommandLine) -> None:
    """Retries are waited for; what an error says reaches the log without its escape sequences."""
    for a in range(5):
        program.Add.dispatch(a)
    program.Boom.dispatch()
    done = flask.run("queue", "work", "--burst")

    assert done.returncode == 0
    counts = program.queue.counts()["default"]
    assert (counts["completed"], counts["failed"], sum(counts.values())) == (5, 1, 6)
    assert "ValueError: no \\x1b[31mred" in done.stderr
    assert "\x1b" not in done.stderr


def test_options_choose_queues_and_threads(app: Flask, flask: CommandLine) -> None:
    """--queues leaves other queues alone, --concurrency wins over the configuration."""
    nap, where = program.Nap.dispatch("sign", 0), program.Where.dispatch()
    done = flask.run("queue", "work", "--burst", "--queues", "default,", "--concurrency", "default=3")

    assert done.returncode == 0
    assert program.queue.get(where.id).result == ["fq-default-1", "fq-default-2", "fq-default-3"]
    assert program.queue.get(nap.id).state is JobState.WAITING
    flask.run("queue", "work", "--burst", "--concurrency", "emails=2")
    assert program.queue.get(nap.id).state is JobState.COMPLETED


def test_garbage_collection_leaves_alone_what_was_loaded(app: Flask, flask: CommandLine) -> None:
    """It would look at all of it again and again; what jobs leave behind it goes on to find."""
    job = program.Collect.dispatch()
    assert flask.run("queue", "work", "--burst").returncode == 0
    frozen, found = program.queue.get(job.id).result
    assert frozen > 10_000
    assert found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--queues", "nope"], "No queue 'nope' is configured"),
        (["--queues", ","], "name at least one queue"),
        (["--concurrency", "emails"], "'emails': give a queue and its threads"),
        (["--concurrency", "emails=0"], "'emails=0': give a queue and its threads"),
        (["--concurrency", "nope=1"], "No queue 'nope' is configured"),
        (["--queues", "default", "--concurrency", "emails=1"], "emails is not among --queues"),
    ],
)
def test_wrong_options_are_wrong_usage(invoke: Invoke, options: list[str], message: str) -> None:
    """A worker never starts with less than what was asked for."""
    result = invoke("work", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_server_that_is_away_is_waited_for(flask: CommandLine, own_server: RedisServer) -> None:
    """One line when Redis is away, at start too, one when it is back; then jobs run."""
    own_server.stop()
    worker = flask.start("queue", "work", QUEUE_REDIS_URL=own_server.url)
    worker.wait_for("is not available", "Trying again")
    own_server.start()
    worker.wait_for("Redis is back")
    flask.run("queue", "dispatch", "Add", '{"a": 1}', QUEUE_REDIS_URL=own_server.url)

    def completed() -> bool:
        return '"completed": 1' in flask.run("queue", "status", "--json", QUEUE_REDIS_URL=own_server.url).stdout

    wait_until(completed, 10)
    own_server.stop()
    wait_until(lambda: worker.printed.count("is not available") == 2)
    worker.send(signal.SIGTERM)
    assert worker.end() == 0
    assert (worker.printed.count("is not available"), worker.printed.count("Redis is back")) == (2, 1)
    assert "Traceback" not in worker.printed


def test_a_wrong_password_is_told_and_tried_again(flask: CommandLine) -> None:
    """Somebody may set it on the server; until then a signal ends the worker as usual."""
    with RedisServer(password="right") as server:
        worker = flask.start("queue", "work", QUEUE_REDIS_URL=server.url.replace("right", "wrong"))
        worker.wait_for("refused the credentials")
        assert "wrong" not in worker.printed.replace("WRONGPASS", "")
        worker.send(signal.SIGTERM)
        assert worker.end() == 0


def test_a_fault_of_the_worker_is_a_failure(app: Flask, flask: CommandLine) -> None:
    """A supervisor must learn that it has to start another one."""
    done = flask.run("queue", "work", BREAK_PUMP="1")
    assert done.returncode == 1
    assert "broken for a test" in done.stderr


@pytest.mark.needs("valkey-server")
def test_an_embedded_server_that_cannot_be_had_is_an_error(bare: CommandLine) -> None:
    """No waiting makes a folder usable: the command says so and ends."""
    line = bare.fails("queue", "work", QUEUE_REDIS_URL="embedded:///dev/null/queue")
    assert "the embedded server can't use the folder /dev/null/queue" in line


def test_log_lines_are_printed_once(app: Flask, flask: CommandLine) -> None:
    """Flask's own handler, which an app's first log line brings, does not double what the root logger prints."""
    program.Where.dispatch()
    done = flask.run("queue", "work", "--burst")
    assert done.stderr.count("has stopped") == 1
    assert done.stderr.count("said in a job") == 1
