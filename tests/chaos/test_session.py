"""A minute of chaos in every run of the suite; `nox -s chaos` has ten."""

from __future__ import annotations

import random
import shutil

import pytest

from tests.chaos.faults import plan
from tests.chaos.session import make_folder, run_session

SECONDS = 65


def test_the_same_seed_brings_the_same_faults() -> None:
    """And another one others."""
    assert plan(1, 60) == plan(1, 60)
    assert plan(1, 60) != plan(2, 60)


@pytest.mark.untraced  # shutdowns interrupt jobs that sleep
@pytest.mark.timeout(300)
def test_a_minute_of_chaos_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Workers and a Redis that syncs every write are killed, stopped and restarted under random jobs and actions."""
    seed = 4 * random.randrange(250_000) + 1
    folder = make_folder(seed)
    again = f"nox -s chaos -- --seconds {SECONDS} --seed {seed}"
    with capsys.disabled():
        print(f"\n{again}", flush=True)
    report = run_session(seed, SECONDS, folder)
    with capsys.disabled():
        print(report.summary)
    assert not report.faults, "\n".join([*report.faults[:20], f"journals and logs: {folder}", f"again: {again}"])
    assert report.counts["worker faults"] >= 20
    assert report.counts["restarts"] >= 3
    shutil.rmtree(folder)
