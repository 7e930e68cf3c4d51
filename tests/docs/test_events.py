"""What the page about events shows works as it stands there."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_queue import Job, JobState, signals
from tests.worker.conftest import MakeBench, make_bench

__all__ = ["make_bench"]  # a fixture

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text()


def example(word: str) -> str:
    """The block of Python that has this word."""
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return found


def run(program: str, **names: Any) -> dict[str, Any]:
    """What a program defines."""
    defined = {"__name__": "shop", "Flask": Flask, "Job": Job, **names}
    exec(compile(program, "events.md", "exec", dont_inherit=True), defined)
    return defined


class ReportIsReady(Job):
    def handle(self, path: str) -> str:
        return path


def test_hooks(make_bench: MakeBench) -> None:
    """The one dispatches a job once, the other tells of the error."""
    told: list[str] = []
    paths = iter(["7.pdf"])
    shop = run(
        example("on_completed"), render=lambda account_id: next(paths), notify=told.append, ReportIsReady=ReportIsReady
    )
    shop["MakeReport"].max_retries = 0
    bench = make_bench(shop["MakeReport"], ReportIsReady)
    shop["MakeReport"].dispatch(account_id=7)
    bench.run_all()
    (ready,) = bench.queue.jobs(name="ReportIsReady").records
    assert ready.result == "7.pdf"
    job_id = shop["MakeReport"].dispatch(account_id=8).id
    bench.run_all()
    assert told == [f"{job_id} failed: "]


class Fails(Job):
    max_retries = 0

    def handle(self) -> None:
        raise ValueError("no such user")


def test_a_receiver(make_bench: MakeBench, caplog: pytest.LogCaptureFixture) -> None:
    """It logs in the app's own log."""
    alert = run(example("job_failed.connect"))["alert"]
    try:
        bench = make_bench(Fails)
        job_id = Fails.dispatch().id
        with caplog.at_level(logging.ERROR, bench.app.name):
            bench.run_all()
    finally:
        signals.job_failed.disconnect(alert)
    assert bench.queue.get(job_id).state is JobState.FAILED
    assert f"{job_id} failed for good: no such user" in caplog.text


def test_every_signal_has_its_row() -> None:
    """And no row is of one that there is not."""
    assert sorted(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == sorted(signals.__all__)
