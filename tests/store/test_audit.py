"""The audit trail: in order, in pages, bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flask_queue import AuditPage, QueueUnavailable
from flask_queue.store import audit
from flask_queue.store.audit import Audit
from flask_queue.store.connect import make_client

if TYPE_CHECKING:
    from redis import Redis


@pytest.fixture
def trail(redis_client: Redis) -> Audit:
    """An empty trail."""
    return Audit(redis_client, "test")


def targets(page: AuditPage) -> list[str]:
    """What was done something to, in the order of the page."""
    return [entry.target for entry in page.entries]


def test_an_entry_is_read_as_it_was_written(trail: Audit) -> None:
    """With Redis's time; whoever acted in code has no name."""
    details: dict[str, Any] = {"reason": "größer\n", "count": 3, "older_than_s": 0.5}
    trail.note("pause", "emails", "cli:ada", details)
    trail.note("cancel", "emails:a", None, {})
    cancel, pause = trail.page(50, None).entries
    assert (pause.action, pause.target, pause.actor, pause.details) == ("pause", "emails", "cli:ada", details)
    assert (cancel.action, cancel.target, cancel.actor, cancel.details) == ("cancel", "emails:a", None, {})
    assert timedelta() <= datetime.now(UTC) - pause.at < timedelta(seconds=20)


def test_pages_go_on_where_the_one_before_ended(trail: Audit) -> None:
    """Newest first, each entry once, whatever is added meanwhile."""
    for number in range(5):
        trail.note("cancel", f"q:{number}", None, {})
    first = trail.page(2, None)
    trail.note("cancel", "q:new", None, {})
    second = trail.page(2, first.next_cursor)
    third = trail.page(2, second.next_cursor)
    assert [targets(page) for page in (first, second, third)] == [["q:4", "q:3"], ["q:2", "q:1"], ["q:0"]]
    assert third.next_cursor is None
    assert trail.page(6, None).next_cursor is None


def test_an_empty_trail_is_a_page(trail: Audit) -> None:
    """Nothing was done yet."""
    assert trail.page(50, None) == AuditPage([])


def test_the_trail_is_bounded(trail: Audit, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest entries go, in blocks."""
    monkeypatch.setattr(audit, "KEPT", 100)
    for number in range(400):
        trail.note("cancel", f"q:{number}", None, {})
    length = redis_client.xlen("test:audit")
    assert 100 <= length <= 300
    assert targets(trail.page(1, None)) == ["q:399"]


def test_apps_have_their_own(trail: Audit, redis_client: Redis) -> None:
    """The prefix keeps them apart."""
    trail.note("cancel", "q:a", None, {})
    assert Audit(redis_client, "elsewhere").page(50, None).entries == []


@pytest.mark.parametrize(
    ("limit", "cursor"), [(0, None), (-1, None), (1, "garbage"), (1, ""), (1, "1-1\n"), (1, "0-0"), (1, "٣-1")]
)
def test_a_wrong_page_is_refused(trail: Audit, limit: int, cursor: str | None) -> None:
    """By a ValueError, not by Redis."""
    with pytest.raises(ValueError, match=r"limit|cursor"):
        trail.page(limit, cursor)


def test_redis_away_is_an_error_of_ours() -> None:
    """As everywhere."""
    with make_client("unix:///nonexistent/redis.sock", timeout_s=1) as client:
        trail = Audit(client, "test")
        with pytest.raises(QueueUnavailable):
            trail.note("cancel", "q:a", None, {})
        with pytest.raises(QueueUnavailable):
            trail.page(1, None)
