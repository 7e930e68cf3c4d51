"""The race between a worker and a COMMIT, and jobs that dispatch inside of transactions of their own."""

from __future__ import annotations

import pytest
from flask import current_app

from flask_queue import Job, JobNotFound
from flask_queue.worker import Worker
from tests.support import wait_until
from tests.transactions.conftest import Mail, MakeShop, Shop


def users() -> list[str]:
    """What this job's session sees."""
    db = current_app.extensions["sqlalchemy"]
    return list(db.session.scalars(db.text('select name from "user"')))


class Greet(Job):
    """Reads the row that belongs to it."""

    def handle(self, name: str) -> bool:
        return name in users()


class Relay(Job):
    """Dispatches in a transaction of its own, which it commits, or leaves, or fails in."""

    max_retries = 0

    def handle(self, end: str) -> None:
        db = current_app.extensions["sqlalchemy"]
        users()
        record = Mail.dispatch(len(end))
        assert record.pending_commit
        if end == "fail":
            raise LookupError
        if end == "commit":
            db.session.commit()


def finish(shop: Shop, job_id: str) -> object:
    """The result of a job, once it has one."""
    return wait_until(lambda: (record := shop.queue.get(job_id)).finished_at and record, 10).result  # type: ignore[union-attr]


def test_a_worker_never_runs_before_the_commit(make_shop: MakeShop, database_url: str) -> None:
    """Without `after_commit` it does, and misses the row. With it the worker finds the row."""
    shop = make_shop(database_url, Greet)
    worker = Worker(shop.queue.broker)
    worker.start()
    try:
        shop.add("Ada")
        waits = Greet.options(after_commit=True).dispatch("Ada")
        early = Greet.dispatch("Ada")
        assert finish(shop, early.id) is False
        with pytest.raises(JobNotFound):
            shop.queue.get(waits.id)
        shop.session.commit()
        assert finish(shop, waits.id) is True
    finally:
        assert worker.stop()


def test_jobs_dispatch_after_their_own_commit(make_shop: MakeShop, database_url: str) -> None:
    """What a run leaves without COMMIT, or fails in, goes; the next run on the thread has nothing of it."""
    shop = make_shop(database_url, Relay, Mail)
    for end in ("leave", "fail", "commit", "leave it"):
        Relay.dispatch(end)
    worker = Worker(shop.queue.broker, {"default": 1}, is_burst=True)
    worker.start()
    try:
        assert worker.join(20)
    finally:
        assert worker.stop()
    done = [record.payload for record in shop.queue.jobs(state="completed", name="Mail").records]
    assert done == [{"number": len("commit")}]
    assert shop.queue.counts()["default"]["failed"] == 1
