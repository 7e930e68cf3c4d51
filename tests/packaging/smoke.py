"""A newcomer's first minute, in an environment that has the wheel and what it asked for: import, app, job, worker."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

APP = """
from flask import Flask

from flask_queue import FlaskQueue, Job


class Add(Job):
    def handle(self, a: int, b: int = 1) -> int:
        return a + b


queue = FlaskQueue(jobs=[Add])


def create_app() -> Flask:
    app = Flask(__name__)
    queue.init_app(app)
    return app
"""


def main() -> None:
    """Check this environment, and say on one line what is in it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True, help="Of flask-queue, as it must be installed.")
    parser.add_argument("--redis", help="Where to dispatch to; without one only what needs no server is checked.")
    parser.add_argument("--modules", default="", help="What the extras must have brought, separated by commas.")
    options = parser.parse_args()
    import flask_queue

    assert "site-packages" in Path(flask_queue.__file__).parts, flask_queue.__file__
    assert version("flask-queue") == options.version, version("flask-queue")
    missing = [name for name in options.modules.split(",") if name and find_spec(name) is None]
    assert not missing, f"the extra did not bring {missing}"
    Path("shop.py").write_text(APP)
    if options.redis:
        os.environ["QUEUE_REDIS_URL"] = options.redis
    flask("queue", "work", "--help")
    if options.redis:
        run_a_job()
    distributions = ("flask", "dramatiq", "redis", "flask-admin", "python-dotenv")
    print(" ".join(f"{name} {version(name)}" for name in distributions))


def run_a_job() -> None:
    """Dispatch, work until nothing is left, look."""
    from shop import Add, create_app, queue  # type: ignore[import-not-found]

    app = create_app()
    with app.app_context():
        record = Add.dispatch(a=2)
        flask("queue", "work", "--burst")
        record = queue.get(record.id)
        assert (record.state, record.result) == ("completed", 3), record
    assert app.test_client().get("/admin/queues/").status_code == 403


def flask(*words: str) -> None:
    """Run the command line of this environment."""
    command = [sys.executable, "-m", "flask", "--app", "shop:create_app", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


if __name__ == "__main__":
    sys.path.insert(0, "")
    main()
