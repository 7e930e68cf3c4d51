"""What benchmarks measure on is what jobs leave behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.seed import KINDS, NAMES, QUEUES, make_app, seed
from flask_queue.doctor import examine
from flask_queue.doctor.finding import Level
from flask_queue.record import JobState
from tests.store.checks import check_all

if TYPE_CHECKING:
    from redis import Redis

JOBS = 4000
MIB = 1 << 20


def test_a_seeded_store_is_whole(redis_url: str, redis_client: Redis) -> None:
    """The doctor and the tests' own checks find nothing wrong, and the calls show what was asked for."""
    seed(redis_client, JOBS, large=3 * MIB)
    check_all(redis_client, "flask-queue")
    app, queue = make_app(redis_url)
    with app.app_context():
        bad = [finding for finding in examine(queue.broker) if finding.check == "orphans" and finding.level != Level.OK]
        assert bad == []
        counts = queue.counts()
        assert sum(sum(states.values()) for states in counts.values()) == JOBS + 5 * len(QUEUES)
        assert (counts["default"]["waiting"], counts["media"]["failed"]) == (401, 41)
        groups = queue.failures()
        assert len(groups) == KINDS
        assert sum(group.count for group in groups) == 404
        for state in JobState:
            if state is not JobState.ACTIVE:
                page = queue.jobs(state=state, search="tag:vip args.user.plan:free", limit=2)
                assert [record.name in NAMES for record in page.records] == [True, True]
        assert queue.retry_all(error=groups[0].fingerprint) == groups[0].count
        queue.broker.close()
    check_all(redis_client, "flask-queue")


def test_the_command_says_what_it_did(redis_url: str, redis_client: Redis) -> None:
    """Under any prefix; the same seed gives the same jobs."""
    command = [sys.executable, "-m", "benchmarks.seed", "--jobs", "100", "--url", redis_url, "--prefix"]
    for prefix in ("one", "two"):
        done = subprocess.run([*command, prefix], cwd=Path(__file__).parents[2], check=True, capture_output=True)
        assert done.stdout.startswith(b"100 jobs in ")
    one, two = (redis_client.hkeys(f"{{{prefix}:default}}:state") for prefix in ("one", "two"))
    assert sorted(one) == sorted(two)
