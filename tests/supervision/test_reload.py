"""`--reload`: processes start anew when source files change."""

from __future__ import annotations

import signal

import pytest

from tests.supervision.conftest import PATIENCE_S, Site
from tests.supervision.program import Nap, Tell
from tests.support import wait_until

pytest.importorskip("watchfiles", reason="the extra reload is not installed")


def test_a_change_of_the_source_replaces_the_process(site: Site) -> None:
    """Also after a change that broke it; a running job is not waited for longer than the shutdown time."""
    supervisor = site.work("--reload", QUEUE_SHUTDOWN_TIMEOUT_S="1")
    assert site.finished(Tell.dispatch().id).result == ["old code", "none"]
    supervisor.wait_for("Watching")
    job = Nap.dispatch("n", 60)
    site.wait_for("start n")
    program = site.commands.folder / "app.py"
    source = program.read_text()

    program.write_text("this is no Python")
    supervisor.wait_for("app.py changed", "SyntaxError")
    assert site.queue.get(job.id).state == "waiting"
    site.queue.cancel(job.id)
    program.write_text(source.replace("old code", "newer code"))
    assert site.finished(Tell.dispatch().id).result == ["newer code", "none"]
    supervisor.send(signal.SIGTERM)
    assert supervisor.end() == 0
    wait_until(lambda: site.queue.workers() == [], PATIENCE_S)


def test_without_its_package_it_says_what_to_install(site: Site) -> None:
    """One line, exit status 1."""
    (site.commands.folder / "watchfiles.py").write_text("raise ModuleNotFoundError('No module named watchfiles')")
    line = site.commands.fails("queue", "work", "--reload")
    assert "--reload needs the package watchfiles: pip install 'flask-queue[reload]'." in line
