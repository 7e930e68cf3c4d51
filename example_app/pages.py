"""The pages. They work without JavaScript."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from flask_queue import JobState, QueueUnavailable

from . import security, work
from .extensions import queue
from .jobs.import_contacts import ImportContacts
from .models import Upload, User, db
from .services import accounts, contacts, files, thumbnails, webhooks
from .services.errors import Invalid

pages = Blueprint("pages", __name__)

SETTLED = {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}


@pages.get("/")
def home() -> ResponseReturnValue:
    if security.current_user():
        return redirect(url_for("pages.jobs"))
    return render_template("sign_up.html", form={})


@pages.post("/sign-up")
def sign_up() -> ResponseReturnValue:
    try:
        user = accounts.sign_up(request.form.get("name", ""), request.form.get("email", ""))
    except Invalid as error:
        return render_template("sign_up.html", form=request.form, error=error), 400
    security.sign_in(user)
    work.welcome(user)
    return _to_jobs()


@pages.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    return render_template("sign_in.html", form={})


@pages.post("/sign-in")
def sign_in_operator() -> ResponseReturnValue:
    try:
        user = accounts.authenticate(request.form.get("email", ""), request.form.get("password", ""))
    except Invalid as error:
        return render_template("sign_in.html", form=request.form, error=error), 400
    security.sign_in(user)
    return redirect(url_for("admin.index"), 303)


@pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    security.sign_out()
    return redirect(url_for("pages.home"), 303)


@pages.get("/jobs")
def jobs() -> ResponseReturnValue:
    user = _user()
    records = work.jobs_of(user)
    return render_template(
        "jobs.html",
        user=user,
        records=records,
        notes={record.id: queue.logs(record.id, limit=3) for record in records if record.name == ImportContacts.name},
        is_busy=any(record.state not in SETTLED for record in records),
        uploads=_finished_uploads(user),
        contact_count=contacts.count(user),
    )


@pages.get("/upload")
def upload() -> ResponseReturnValue:
    return render_template("upload.html", user=_user())


@pages.post("/upload/image")
def upload_image() -> ResponseReturnValue:
    user = _user()
    work.make_thumbnails(thumbnails.accept(user, request.files["image"]))
    return _to_jobs()


@pages.post("/upload/contacts")
def upload_contacts() -> ResponseReturnValue:
    user = _user()
    work.import_contacts(contacts.accept(user, request.files["file"]))
    return _to_jobs()


@pages.post("/announce")
def announce() -> ResponseReturnValue:
    user = _user()
    work.deliver(webhooks.announce(user, "account.updated"))
    return _to_jobs()


@pages.get("/images/<int:upload_id>/<int:size>")
def thumbnail(upload_id: int, size: int) -> ResponseReturnValue:
    user, image = _user(), db.session.get(Upload, upload_id)
    if image is None or image.user_id != user.id or image.resized_at is None or size not in thumbnails.SIZES:
        abort(404)
    return send_file(files.path(image.folder, f"{size}.png"), mimetype="image/png")


@pages.errorhandler(Invalid)
def invalid(error: Invalid) -> ResponseReturnValue:
    return render_template("upload.html", user=_user(), error=error), 400


@pages.errorhandler(QueueUnavailable)
def queue_away(error: QueueUnavailable) -> ResponseReturnValue:
    return render_template("error.html", title="The queue is away", message=work.AWAY), 503


@pages.app_errorhandler(HTTPException)
def http_error(error: HTTPException) -> ResponseReturnValue:
    return render_template("error.html", title=error.name, message=error.description), error.code or 500


def _user() -> User:
    """Whoever is signed in; visitors are sent to the sign-up page."""
    return security.current_user() or abort(redirect(url_for("pages.home")))


def _to_jobs() -> ResponseReturnValue:
    return redirect(url_for("pages.jobs"), 303)


def _finished_uploads(user: User) -> list[Upload]:
    mine = select(Upload).where(Upload.user_id == user.id, Upload.resized_at.is_not(None))
    return list(db.session.scalars(mine.order_by(Upload.id.desc()).limit(work.NEWEST)))
