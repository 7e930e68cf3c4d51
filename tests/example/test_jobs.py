"""The jobs in a real worker: what they do, how they end, and how often they try."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from example_app import work
from example_app.extensions import queue
from example_app.models import User, db
from example_app.services import contacts, webhooks
from flask_queue import JobRecord, JobState, Progress
from flask_queue.worker import Worker
from tests.example.files import image
from tests.example.test_contacts import accept as accept_contacts
from tests.example.test_thumbnails import accept as accept_image

if TYPE_CHECKING:
    from flask import Flask

    from example_app.demo.mailbox import Mailbox
    from tests.example.conftest import MakeApp


@pytest.fixture
def app(make_app: MakeApp, redis_url: str) -> Flask:
    """The application with a Redis."""
    return make_app(redis_url)


def run(*dispatched: JobRecord) -> list[JobRecord]:
    """Let a worker run what is due, and return the jobs as they are then."""
    worker = Worker(queue.broker, is_burst=True)
    worker.start()
    assert worker.join(30)
    worker.stop()
    db.session.expire_all()
    return [queue.get(record.id) for record in dispatched]


def test_every_job_does_its_work(user: User, mailbox: Mailbox) -> None:
    """Mail, thumbnails and contacts are there once the worker is done, with progress, log and results."""
    upload = accept_image(user, image())
    contact_import = accept_contacts(user, b"name,email\nBob,bob@example.org\nNobody,")
    welcome, images, imported = run(
        work.welcome(user), work.make_thumbnails(upload), work.import_contacts(contact_import)
    )

    assert {record.state for record in (welcome, images, imported)} == {JobState.COMPLETED}
    assert len(mailbox.mails()) == 1
    assert images.result == ["256.png", "64.png"]
    assert imported.result == {"good": 1, "bad": 1}
    assert imported.progress == Progress(2, 2)
    assert queue.logs(imported.id) == ["row 2 skipped: '' is not an e-mail address"]
    assert contacts.count(user) == 1


def test_what_may_pass_is_tried_again(user: User, app: Flask) -> None:
    """While mail server and partner are away, their jobs wait for another attempt and say why."""
    app.config |= {"MAIL_PORT": 1, "WEBHOOK_URL": "http://127.0.0.1:1/hook"}
    for record in run(work.welcome(user), work.deliver(webhooks.announce(user, "account.updated"))):
        assert record.state is JobState.DELAYED
        assert record.attempts >= 1
        assert record.error is not None
        assert "refused" in record.error.message


@pytest.mark.parametrize("is_gone", [True, False], ids=["deleted", "damaged"])
def test_what_cannot_pass_is_not_tried_again(user: User, is_gone: bool) -> None:
    """A job whose row was deleted, or whose file cannot be read, fails at its first attempt."""
    upload = accept_image(user, image()[:-60])
    dispatched = work.make_thumbnails(upload)
    if is_gone:
        db.session.delete(upload)
        db.session.commit()
    (record,) = run(dispatched)

    assert record.state is JobState.FAILED
    assert record.attempts == 1
    assert record.error is not None
    assert record.error.type == ("Gone" if is_gone else "Invalid")
