"""What is dispatched when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from example_app import work
from example_app.extensions import queue
from example_app.models import db, now
from example_app.services import accounts, webhooks

if TYPE_CHECKING:
    from flask.testing import FlaskClient


def test_work_is_dispatched_once_for_each_row(online: FlaskClient) -> None:
    """The job's id is the row's, so dispatching again gives the same job."""
    with online.application.app_context():
        user = accounts.sign_up("Ada", "ada@example.org")
        first, second = work.welcome(user), work.welcome(user)

        assert first.id == second.id == "emails:welcome-1"
        assert (first.deduplicated, second.deduplicated) == (False, True)
        assert queue.get(first.id).payload == {"user_id": user.id}


def test_rows_without_a_job_are_found(online: FlaskClient) -> None:
    """Work whose process died before the dispatch is dispatched later, and what has a job or is done is left alone."""
    with online.application.app_context():
        done, lost, known = [accounts.sign_up(name, f"{name}@example.org") for name in ("done", "lost", "known")]
        done.welcomed_at = now()
        db.session.commit()
        work.welcome(known)
        webhooks.announce(lost, "account.updated")

        assert work.dispatch_missing() == 2
        assert [record.id for record in work.jobs_of(lost)] == ["emails:welcome-2", "default:delivery-1"]
        assert work.jobs_of(done) == []
    result = online.application.test_cli_runner().invoke(args=["dispatch-missing"])
    assert result.output == "0 jobs dispatched\n"
