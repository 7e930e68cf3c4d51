"""The pages, as a browser meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from example_app.models import User, db
from example_app.services import files, thumbnails
from tests.example.files import form, image

if TYPE_CHECKING:
    from flask.testing import FlaskClient

ADA = {"name": "Ada", "email": "ada@example.org"}


def test_signing_up_leads_to_the_new_users_jobs(online: FlaskClient) -> None:
    """The welcome mail is a job by the time the visitor sees the next page."""
    page = online.post("/sign-up", data=ADA, follow_redirects=True)

    assert page.status_code == 200
    assert "Jobs of Ada" in page.text
    assert "emails:welcome-1" in page.text
    assert "waiting" in page.text


def test_every_upload_becomes_a_job(online: FlaskClient) -> None:
    """Image, contacts and webhook each show up among the user's jobs."""
    online.post("/sign-up", data=ADA)
    online.post("/upload/image", data=form("image", image()))
    online.post("/upload/contacts", data=form("file", b"name,email\nBob,bob@example.org"))
    page = online.post("/announce", follow_redirects=True)

    for job_id in ("images:thumbnails-1", "default:import-1", "default:delivery-1"):
        assert job_id in page.text


def test_a_wrong_form_comes_back_filled_in(offline: FlaskClient) -> None:
    """The visitor sees what is wrong, and need not type the rest again."""
    page = offline.post("/sign-up", data={"name": "Ada", "email": "<nobody>"})

    assert page.status_code == 400
    assert "This is not an e-mail address." in page.text
    assert 'value="Ada"' in page.text
    assert "&lt;nobody&gt;" in page.text


def test_wrong_files_are_refused_with_a_reason(online: FlaskClient) -> None:
    """A file that cannot be used, and a form without one, are answered with 400."""
    online.post("/sign-up", data=ADA)
    page = online.post("/upload/image", data=form("image", b"no image"))

    assert (page.status_code, "This is no JPEG" in page.text) == (400, True)
    assert online.post("/upload/contacts", data={}).status_code == 400


def test_a_large_request_is_refused(offline: FlaskClient) -> None:
    """More than MAX_CONTENT_LENGTH is answered with 413."""
    assert offline.post("/sign-up", data=b"x" * 6_000_000, content_type="text/plain").status_code == 413


@pytest.mark.parametrize("path", ["/jobs", "/upload", "/images/1/64"])
def test_visitors_are_sent_to_the_sign_up_page(offline: FlaskClient, path: str) -> None:
    """Whatever is somebody's own is not shown to anybody else."""
    answer = offline.get(path)

    assert (answer.status_code, answer.location) == (302, "/")


def test_signing_out_ends_the_session(online: FlaskClient) -> None:
    """After signing out, the sign-up page is back."""
    online.post("/sign-up", data=ADA)
    assert online.get("/").location == "/jobs"
    online.post("/sign-out")

    assert "Sign up" in online.get("/").text


def test_thumbnails_are_shown_to_their_owner_alone(online: FlaskClient) -> None:
    """A thumbnail can be fetched by the user who uploaded its image, once it is made."""
    online.post("/sign-up", data=ADA)
    online.post("/upload/image", data=form("image", image()))
    assert online.get("/images/1/64").status_code == 404
    with online.application.app_context():
        thumbnails.make(1)

    with online.get("/images/1/64") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert "/images/1/256" in online.get("/jobs").text
    assert online.get("/images/1/65").status_code == 404
    stranger = online.application.test_client()
    stranger.post("/sign-up", data={"name": "Eve", "email": "eve@example.org"})
    assert stranger.get("/images/1/64").status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({}, 303),
    ],
)
def test_forms_of_other_sites_are_refused(offline: FlaskClient, headers: dict[str, str], status: int) -> None:
    """A browser that says that another site sent the form is refused; whoever says nothing is no browser."""
    assert offline.post("/sign-out", headers=headers).status_code == status


def test_pages_run_no_script_and_load_nothing_from_elsewhere(offline: FlaskClient) -> None:
    """The content policy of every page allows this site alone."""
    for path in ("/", "/nowhere"):
        assert "default-src 'self'" in offline.get(path).headers["Content-Security-Policy"]


def test_without_a_redis_the_visitor_is_told_and_the_user_is_kept(offline: FlaskClient) -> None:
    """The row is committed before the dispatch, so that nothing is lost while the queue is away."""
    page = offline.post("/sign-up", data=ADA)

    assert page.status_code == 503
    assert "What you sent us is kept" in page.text
    assert "Sign out Ada" in offline.get("/upload").text
    with offline.application.app_context():
        assert db.session.get(User, 1) is not None


def test_unknown_pages_are_answered_in_style(offline: FlaskClient) -> None:
    """Errors have a page of the application's own."""
    page = offline.get("/nowhere")

    assert page.status_code == 404
    assert "Back to the start" in page.text


def test_files_lie_outside_of_what_is_served(online: FlaskClient) -> None:
    """Originals are stored in the instance folder, not below the folder that has the static files."""
    online.post("/sign-up", data=ADA)
    online.post("/upload/image", data=form("image", image()))
    with online.application.app_context():
        (original,) = files.path("", "").glob("*/original")

    assert original.is_relative_to(online.application.instance_path)
    assert not original.is_relative_to(online.application.root_path)
