"""The jobs of a queue in the same words, as Redis has them and as the model says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.store.driver import runs_of

if TYPE_CHECKING:
    from tests.store.checks import Snapshot
    from tests.store.model import QueueModel


def seen(found: Snapshot) -> dict[str, tuple[Any, ...]]:
    """What Redis has."""
    groups = {f"error:{each.decode()}": json.loads(text)["type"] for each, text in found.errors.items()}
    failed_with = {job: groups[index] for index in groups for job in found.indexes[index]}
    return {
        job.decode(): (
            *(state.state, state.nonce, state.priority, state.attempts, state.number, state.recoveries),
            state.worker if state.state == "a" else "-",
            state.started_ms > 0 if state.state == "a" else False,
            state.finished_ms,
            runs_of(found.attempts.get(job)),
            job in found.cancelling,
            job in found.logs,
            failed_with.get(job, ""),
            tuple(found.tags.get(job, b"").decode().split()),
        )
        for job, state in found.states.items()
    }


def expected(model: QueueModel) -> dict[str, tuple[Any, ...]]:
    """What the model says."""
    return {
        job.local_id: (
            *(job.state, job.nonce, job.priority, job.attempts, job.number, job.recoveries),
            job.worker if job.state == "a" else "-",
            job.started_ms > 0 if job.state == "a" else False,
            job.finished_ms,
            job.history,
            job.is_unwanted,
            job.local_id in model.logged,
            job.failed_with if job.state == "f" else "",
            job.tags,
        )
        for job in model.jobs.values()
    }
