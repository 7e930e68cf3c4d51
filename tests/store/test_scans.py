"""Reading all jobs of a state while they come and go: none that stays is left out."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from flask_queue.outcome import Failed
from flask_queue.store import scans
from tests.store.driver import ERROR, Driver

if TYPE_CHECKING:
    import pytest


def fill(queue: Driver, count: int, **options: object) -> list[str]:
    """Store many jobs."""
    ids = [f"j{number:04}" for number in range(count)]
    for start in range(0, count, 200):
        queue.add(*ids[start : start + 200], **options)  # type: ignore[arg-type]
    return ids


def test_finished_jobs_are_read_oldest_first(queue: Driver) -> None:
    """Those that finished by then, and each once, however many there are."""
    for start in range(0, 1000, 200):
        queue.finish(*(f"j{number:04}" for number in range(start, start + 200)), outcome=Failed(ERROR))
    queue.age("j0700", 60_000)
    queue.age("j0300", 30_000)
    now_ms = queue.now_ms()
    ids = scans.finished(queue.client, queue.keys["failed"], now_ms)
    assert ids[:2] == ["j0700", "j0300"]
    assert sorted(ids) == [f"j{number:04}" for number in range(1000)]
    assert scans.finished(queue.client, queue.keys["failed"], now_ms - 20_000) == ["j0700", "j0300"]
    assert scans.finished(queue.client, queue.keys["cancelled"], now_ms) == []


def test_members_that_stay_are_all_read(queue: Driver) -> None:
    """Others may go while they are read, and more may come."""
    ids = fill(queue, 1500, due="+60000")
    found = scans.members(queue.client, queue.keys["delayed"])
    read = list(islice(found, 300))
    gone = [local_id for local_id in ids if local_id not in read][::2]
    for start in range(0, len(gone), 256):
        queue.delete(*gone[start : start + 256])
    queue.add(*(f"more{number}" for number in range(200)), due="+60000")
    assert set(ids) - set(gone) <= {*read, *found}


def test_waiting_jobs_that_stay_are_all_read(queue: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the back: workers take from the front meanwhile, others join at either end, tombstones appear."""
    monkeypatch.setattr(scans, "STEP", 100)
    ids = fill(queue, 1000)
    found = scans.waiting(queue.client, queue.keys["waiting"])
    read = list(islice(found, 150))
    assert read == ids[:-151:-1]
    claimed = queue.claim(200)
    queue.add(*(f"more{number}" for number in range(130)))
    queue.delete(*ids[300:400], *read[:50])
    queue.client.lpush(queue.keys["waiting"], *claimed[:20])
    for local_id in claimed[:20]:
        queue.write(local_id, queue.state(local_id)._replace(state="w"))
        queue.client.srem(queue.keys["active:w1"], local_id)
    read += found
    assert {*ids[200:300], *ids[400:850], *claimed[:20]} <= set(read)
    assert len(read) <= 1000 + 130


def test_an_empty_queue_has_nothing_to_read(queue: Driver) -> None:
    """And reading ends at once."""
    assert list(scans.members(queue.client, queue.keys["delayed"])) == []
    assert list(scans.waiting(queue.client, queue.keys["waiting"])) == []
