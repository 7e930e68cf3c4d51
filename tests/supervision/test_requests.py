"""What operators ask of worker processes: to be quiet, to stop, to be replaced."""

from __future__ import annotations

import json
import signal

import pytest

from flask_queue import QueueError
from tests.supervision.conftest import PATIENCE_S, Site, children
from tests.supervision.program import Blocked, Nap, Tell
from tests.support import wait_until

pytestmark = pytest.mark.untraced


def test_a_quiet_worker_claims_nothing_more(site: Site) -> None:
    """What it runs goes on; another worker takes the rest. It stays until it is told to end."""
    running = Nap.dispatch("first", 2)
    quiet = site.work()
    site.wait_for("start first")
    (worker,) = site.workers(1)
    site.queue.quiet(worker.id)
    quiet.wait_for("was told to be quiet")
    other = site.work()
    rest = [Nap.dispatch("rest") for _ in range(10)]
    for job in rest:
        assert site.finished(job.id).result == other.process.pid
    assert site.finished(running.id).result == quiet.process.pid
    assert len(site.queue.workers()) == 2
    quiet.send(signal.SIGTERM)
    assert quiet.end() == 0


def test_a_worker_that_is_asked_to_stop_ends_gracefully(site: Site) -> None:
    """Its job finishes, its exit status is 0, and it is listed no more."""
    job = Nap.dispatch("n", 6)
    process = site.work()
    site.wait_for("start n")
    wait_until(lambda: [worker.busy for worker in site.queue.workers()] == [1], PATIENCE_S)
    (worker,) = site.queue.workers()
    assert (worker.pid, [run.id for run in worker.running]) == (process.process.pid, [job.id])
    site.queue.stop(worker.id)
    assert process.end() == 0
    assert site.queue.get(job.id).state == "completed"
    assert site.queue.workers() == []
    assert "An operator asked for it: finishing what runs" in process.printed
    (entry,) = site.queue.audit().entries
    assert (entry.action, entry.target) == ("stop", worker.id)


@pytest.mark.parametrize("action", ["quiet", "stop"])
def test_nobody_can_be_asked_who_does_not_live(site: Site, action: str) -> None:
    """The error says where to look; the audit trail stays empty."""
    with pytest.raises(QueueError, match=r"No worker 'nobody' is alive: `flask queue workers` lists those that are\."):
        getattr(site.queue, action)("nobody")
    assert site.queue.audit().entries == []
    assert "No worker 'nobody' is alive" in site.commands.fails("queue", action, "nobody")


def test_a_restart_without_a_supervisor_runs_the_command_again(site: Site) -> None:
    """The same process, with new code and a new .env file, as another worker; what ran has finished before."""
    environment = site.commands.folder / ".env"
    environment.write_text("GREETING=hello\n")
    process = site.work()
    assert site.finished(Tell.dispatch().id).result == ["old code", "hello"]
    job = Nap.dispatch("n", 1)
    site.wait_for("start n")
    (before,) = site.workers(1)
    program = site.commands.folder / "app.py"
    program.write_text(program.read_text().replace("old code", "newer code"))
    environment.write_text("GREETING=goodbye\n")
    done = site.commands.run("queue", "restart")
    assert done.stdout == "1 worker will finish and be replaced\n"
    wait_until(lambda: [worker.id for worker in site.queue.workers()] not in ([], [before.id]), PATIENCE_S)
    (after,) = site.queue.workers()
    assert after.pid == before.pid == process.process.pid
    assert site.queue.get(job.id).state == "completed"
    assert site.finished(Tell.dispatch().id).result == ["newer code", "goodbye"]
    process.send(signal.SIGTERM)
    assert process.end() == 0


@pytest.mark.needs("ps")
def test_a_restart_replaces_every_process_of_a_supervisor(site: Site) -> None:
    """One after the other, with new code; the supervisor stays."""
    supervisor = site.work("--processes", "2")
    before = site.workers(2)
    program = site.commands.folder / "app.py"
    program.write_text(program.read_text().replace("old code", "newer code"))
    done = site.commands.run("queue", "restart", "--json")
    assert sorted(json.loads(done.stdout)) == sorted(worker.id for worker in before)

    def are_new() -> bool:
        now = {worker.pid for worker in site.queue.workers()}
        return len(now) == 2 and not now & {worker.pid for worker in before}

    wait_until(are_new, 40)
    assert sorted(children(supervisor.process.pid)) == sorted(worker.pid for worker in site.queue.workers())
    assert site.finished(Tell.dispatch().id).result == ["newer code", "none"]
    assert "ERROR" not in supervisor.printed


@pytest.mark.needs("ps")
def test_a_supervised_worker_that_is_stopped_is_not_replaced(site: Site) -> None:
    """The others go on; once none is left, the supervisor ends as well, with 0."""
    supervisor = site.work("--processes", "2")
    first, second = site.workers(2)
    site.queue.stop(first.id)
    supervisor.wait_for(f"Worker process {first.pid} has ended, and is not replaced")
    assert children(supervisor.process.pid) == [second.pid]
    assert site.finished(Nap.dispatch("n").id).result == second.pid
    site.queue.stop(second.id)
    assert supervisor.end() == 0


def test_commands_list_and_ask(site: Site) -> None:
    """`workers` as a table and as JSON, with what runs and what is overdue; quiet and stop."""
    assert site.commands.run("queue", "workers").stdout == "No worker is alive.\n"
    assert json.loads(site.commands.run("queue", "workers", "--json").stdout) == []
    job = Blocked.dispatch(8)
    process = site.work()
    site.wait_for("start blocked")
    wait_until(lambda: [run.overdue for w in site.queue.workers() for run in w.running] == [True], PATIENCE_S)
    (worker,) = site.queue.workers()

    (shown,) = json.loads(site.commands.run("queue", "workers", "--json").stdout)
    assert set(shown) == {
        *("id", "host", "pid", "version", "queues", "busy", "running"),
        *("rss_bytes", "started_at", "last_beat_at", "asked"),
    }
    assert (shown["id"], shown["busy"], shown["queues"]) == (worker.id, 1, {"default": 2, "other": 1, "more": 1})
    assert shown["rss_bytes"] > 10_000_000
    (run,) = shown["running"]
    assert (run["id"], run["name"], run["queue"], run["overdue"]) == (job.id, "Blocked", "default", True)

    lines = site.commands.run("queue", "workers").stdout.splitlines()
    assert lines[0].split() == ["WORKER", "QUEUES", "BUSY", "MEMORY", "STARTED", "LAST", "BEAT"]
    assert lines[1].startswith(worker.id)
    assert any(line.startswith(job.id) and "overdue" in line for line in lines[3:])

    assert site.commands.run("queue", "quiet", worker.id).stdout == f"{worker.id} will be quiet within seconds\n"
    assert site.commands.run("queue", "stop", worker.id).stdout == f"{worker.id} will stop within seconds\n"
    assert process.end() == 0
