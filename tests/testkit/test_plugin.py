"""The fixture `queue_fake`, in a suite of its own, as a user has it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SUITE = """
import pytest
from flask import Flask
from flask_queue import FlaskQueue, Job, QueueUnavailable
from flask_queue.testing import Fake

class SendMail(Job):
    def handle(self, user_id: int) -> None: ...

def make_app(name):
    app = Flask(name)
    app.config.update(QUEUE_REDIS_URL="redis://127.0.0.1:1", QUEUE_DASHBOARD=False, QUEUE_DISPATCH_TIMEOUT_S=0.2)
    queue = FlaskQueue(app, jobs=[SendMail])
    return app, queue

before, _ = make_app("before")

def test_every_app(queue_fake: Fake) -> None:
    after, queue = make_app("after")
    for app in (before, after):
        with app.app_context():
            SendMail.dispatch(user_id=7)
    with queue.inline(), after.app_context():
        assert SendMail.dispatch(user_id=8).state == "completed"
    queue_fake.assert_dispatched(SendMail, {"user_id": 7}, times=2)
    queue_fake.assert_not_dispatched(SendMail, {"user_id": 8})

def test_a_fresh_one(queue_fake: Fake) -> None:
    queue_fake.assert_nothing_dispatched()

def test_without_it() -> None:
    with before.app_context(), pytest.raises(QueueUnavailable):
        SendMail.dispatch(user_id=7)

def test_that_fails(queue_fake: Fake) -> None:
    with before.app_context():
        SendMail.dispatch(user_id=7)
    queue_fake.assert_dispatched(SendMail, {"user_id": 9})
"""

#: Of a suite that does not use it.
OTHER = """
import sys

def test_nothing_of_it_is_there() -> None:
    assert not [name for name in sys.modules if name.split(".")[0] in ("flask_queue", "flask", "dramatiq", "redis")]
"""


def pytest(folder: Path, suite: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A run of a suite in an empty folder, with the plugin."""
    (folder / "test_suite.py").write_text(suite)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:valkey", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def loading() -> tuple[str, ...]:
    """What loads the plugin where the package was installed before it had one."""
    names = {point.value for point in entry_points(group="pytest11")}
    return () if "flask_queue_pytest" in names else ("-p", "flask_queue_pytest")


def test_a_suite_that_uses_it(tmp_path: Path) -> None:
    """Every app is faked in tests that ask for it, and a failure shows the test's own line."""
    done = pytest(tmp_path, SUITE, *loading())
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert 'queue_fake.assert_dispatched(SendMail, {"user_id": 9})' in done.stdout
    assert "its user_id is 7, not 9" in done.stdout
    assert "fake.py" not in done.stdout


def test_a_suite_that_does_not_use_it_imports_nothing(tmp_path: Path) -> None:
    """Not even Flask."""
    done = pytest(tmp_path, OTHER, *loading())
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_found_by_pytest() -> None:
    """By its entry point."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"flask_queue": "flask_queue_pytest"}
