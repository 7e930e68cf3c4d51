"""Dramatiq's own command, pointed at our broker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flask_queue import JobState
from tests.worker.conftest import MakeBench

APP = """
from flask import Flask
from flask_queue import FlaskQueue

app = Flask(__name__)
queue = FlaskQueue(app)

@queue.actor()
def hello():
    print("hello ran")
"""


@pytest.mark.parametrize("options", [["--processes=1"], ["--processes=4"], ["--processes=2", "--use-spawn"]])
def test_the_dramatiq_command_names_ours_and_takes_no_job(
    make_bench: MakeBench, redis_url: str, tmp_path: Path, pytestconfig: pytest.Config, options: list[str]
) -> None:
    """It ends at once, whatever its options, with one line of ours beside those it logs about itself."""
    bench = make_bench()

    @bench.queue.actor()
    def hello() -> None:
        pass

    message = hello.send()
    (tmp_path / "shop.py").write_text(APP)
    ended = subprocess.run(
        [sys.executable, "-m", "dramatiq", "shop:queue.broker", *options],
        cwd=tmp_path,
        env={**os.environ, "QUEUE_REDIS_URL": redis_url, "PYTHONPATH": str(pytestconfig.rootpath)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode != 0
    own = [line for line in ended.stdout.splitlines() if "[dramatiq.MainProcess]" not in line]
    assert own == ["flask-queue runs its own workers: use `flask queue work` instead of the dramatiq command."]
    record = bench.queue.get(f"default:{message.message_id}")
    assert (record.state, record.started_at, record.history) == (JobState.WAITING, None, ())
