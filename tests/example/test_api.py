"""The JSON endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.example.files import form, image

if TYPE_CHECKING:
    from flask.testing import FlaskClient

ADA = {"name": "Ada", "email": "ada@example.org"}


def test_a_new_user_is_answered_with_her_job(online: FlaskClient) -> None:
    """201, with the id of the job that welcomes her."""
    answer = online.post("/api/users", json=ADA)

    assert (answer.status_code, answer.json) == (201, {"id": 1, "job_id": "emails:welcome-1"})


def test_uploads_are_answered_with_their_jobs(online: FlaskClient) -> None:
    """Each upload answers 201 with the id of its job, and the list of jobs has them all."""
    online.post("/api/users", json=ADA)
    answers = [
        online.post("/api/images", data=form("image", image())),
        online.post("/api/imports", data=form("file", b"name,email\nBob,bob@example.org")),
        online.post("/api/deliveries", json={"event": "account.updated"}),
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    ids = [job["id"] for job in online.get("/api/jobs").json["jobs"]]  # type: ignore[index]
    assert ids == ["emails:welcome-1", *(answer.json["job_id"] for answer in answers)]  # type: ignore[index]


def test_users_see_their_own_jobs_alone(online: FlaskClient) -> None:
    """The list of jobs is that of the user whom the cookie names."""
    online.post("/api/users", json=ADA)
    other = online.application.test_client()
    other.post("/api/users", json={"name": "Bob", "email": "bob@example.org"})

    assert [job["id"] for job in other.get("/api/jobs").json["jobs"]] == ["emails:welcome-2"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ([], "name"),
        ("Ada", "name"),
        ({"name": 7, "email": "ada@example.org"}, "name"),
        ({"name": "Ada"}, "email"),
        ({"name": "Ada", "email": "nobody"}, "email"),
    ],
)
def test_a_wrong_body_is_answered_with_the_field(offline: FlaskClient, body: Any, field: str) -> None:
    """400, and which field is wrong why."""
    answer = offline.post("/api/users", json=body)

    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["field"] == field
    assert answer.json["error"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [("application/json", "{", 400), ("text/plain", "{}", 415), ("application/json", "x" * 6_000_000, 413)],
)
def test_what_is_no_json_is_refused_in_json(offline: FlaskClient, content_type: str, body: str, status: int) -> None:
    """Broken, foreign and oversized bodies are answered with the status for each, and a JSON error."""
    answer = offline.post("/api/users", data=body, content_type=content_type)

    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json["error"]


@pytest.mark.parametrize("path", ["/api/images", "/api/imports", "/api/deliveries"])
def test_who_did_not_sign_up_is_refused(offline: FlaskClient, path: str) -> None:
    """401, with what to do."""
    answer = offline.post(path)

    assert answer.status_code == 401
    assert "Sign up first" in answer.text


def test_without_a_redis_the_answer_says_so(offline: FlaskClient) -> None:
    """503 in JSON, and what was sent is kept."""
    answer = offline.post("/api/users", json=ADA)

    assert answer.status_code == 503
    assert "kept" in answer.text
