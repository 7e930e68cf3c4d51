"""The JSON endpoints. Signing up sets a cookie; everything else acts for the user whom that cookie names."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException

from flask_queue import JobRecord, QueueUnavailable

from . import security, work
from .models import User
from .services import accounts, contacts, thumbnails, webhooks
from .services.errors import Invalid

api = Blueprint("api", __name__, url_prefix="/api")


@api.post("/users")
def create_user() -> ResponseReturnValue:
    user = accounts.sign_up(name=_text("name"), email=_text("email"))
    security.sign_in(user)
    return {"id": user.id, "job_id": work.welcome(user).id}, 201


@api.post("/images")
def create_image() -> ResponseReturnValue:
    upload = thumbnails.accept(_user(), _file("image"))
    return {"id": upload.id, "job_id": work.make_thumbnails(upload).id}, 201


@api.post("/imports")
def create_import() -> ResponseReturnValue:
    contact_import = contacts.accept(_user(), _file("file"))
    return {"id": contact_import.id, "job_id": work.import_contacts(contact_import).id}, 201


@api.post("/deliveries")
def create_delivery() -> ResponseReturnValue:
    delivery = webhooks.announce(_user(), _text("event"))
    return {"id": delivery.id, "job_id": work.deliver(delivery).id}, 201


@api.get("/jobs")
def list_jobs() -> ResponseReturnValue:
    return {"jobs": [_job(record) for record in work.jobs_of(_user())]}


@api.errorhandler(Invalid)
def invalid(error: Invalid) -> ResponseReturnValue:
    return {"error": error.message, "field": error.field}, 400


@api.errorhandler(QueueUnavailable)
def queue_away(error: QueueUnavailable) -> ResponseReturnValue:
    return {"error": work.AWAY}, 503


@api.errorhandler(HTTPException)
def http_error(error: HTTPException) -> ResponseReturnValue:
    return {"error": error.description}, error.code or 500


def _user() -> User:
    return security.current_user() or abort(401, "Sign up first: POST /api/users sets a cookie.")


def _text(field: str) -> str:
    """A text of the JSON body."""
    body = request.get_json()
    value = body.get(field) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise Invalid(field, f"Send a JSON object with a text as {field}.")
    return value


def _file(field: str) -> FileStorage:
    return request.files.get(field) or abort(400, f"Send a form (multipart/form-data) with a file as {field}.")


def _job(record: JobRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "queue": record.queue,
        "state": record.state,
        "attempts": record.attempts,
        "runtime_ms": record.runtime_ms,
        "progress": record.progress,
        "result": record.result,
        "error": record.error.message if record.error else None,
    }
