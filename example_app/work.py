"""Which job belongs to which row: every dispatch of the application.

The services commit a row first, and only then its job is dispatched: a worker may take the job a millisecond later, and
must find the row. The job's id is made from the row's, so that dispatching twice makes one job. If the process dies
between the COMMIT and the dispatch, or Redis is away, the row is there without a job: `dispatch_missing` finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from flask_queue import JobNotFound, JobRecord

from .extensions import db, queue
from .jobs.deliver_webhook import DeliverWebhook
from .jobs.import_contacts import ImportContacts
from .jobs.make_thumbnails import MakeThumbnails
from .jobs.send_welcome_email import SendWelcomeEmail
from .models import ContactImport, Delivery, Upload, User

#: The page of jobs shows so many of each kind.
NEWEST = 10
#: What a visitor is told when Redis cannot be reached.
AWAY = "What you sent us is kept, and we start on it as soon as the queue is back."


def welcome(user: User) -> JobRecord:
    return SendWelcomeEmail.options(job_id=f"welcome-{user.id}").dispatch(user_id=user.id)


def make_thumbnails(upload: Upload) -> JobRecord:
    return MakeThumbnails.options(job_id=f"thumbnails-{upload.id}").dispatch(upload_id=upload.id)


def import_contacts(contact_import: ContactImport) -> JobRecord:
    return ImportContacts.options(job_id=f"import-{contact_import.id}").dispatch(import_id=contact_import.id)


def deliver(delivery: Delivery) -> JobRecord:
    return DeliverWebhook.options(job_id=f"delivery-{delivery.id}").dispatch(delivery_id=delivery.id)


def dispatch_missing() -> int:
    """Dispatch the job of every row that waits for one; returns how many there were."""
    users = db.session.scalars(select(User).where(User.welcomed_at.is_(None)))
    uploads = db.session.scalars(select(Upload).where(Upload.resized_at.is_(None)))
    imports = db.session.scalars(select(ContactImport).where(ContactImport.imported_at.is_(None)))
    deliveries = db.session.scalars(select(Delivery).where(Delivery.delivered_at.is_(None)))
    records = [*map(welcome, users), *map(make_thumbnails, uploads)]
    records += [*map(import_contacts, imports), *map(deliver, deliveries)]
    return sum(not record.deduplicated for record in records)


def jobs_of(user: User) -> list[JobRecord]:
    """The jobs of a user's newest rows."""
    found = []
    for job_id in _job_ids(user):
        try:
            found.append(queue.get(job_id))
        except JobNotFound:  # never dispatched, or finished so long ago that its record is no longer kept
            continue
    return found


def _job_ids(user: User) -> list[str]:
    """Full ids are `<queue>:<job_id>`."""
    return [
        f"{SendWelcomeEmail.queue_name}:welcome-{user.id}",
        *(f"{MakeThumbnails.queue_name}:thumbnails-{row_id}" for row_id in _newest(Upload, user)),
        *(f"{ImportContacts.queue_name}:import-{row_id}" for row_id in _newest(ContactImport, user)),
        *(f"{DeliverWebhook.queue_name}:delivery-{row_id}" for row_id in _newest(Delivery, user)),
    ]


def _newest(model: type[Upload | ContactImport | Delivery], user: User) -> Sequence[int]:
    rows = select(model.id).where(model.user_id == user.id)
    return db.session.scalars(rows.order_by(model.id.desc()).limit(NEWEST)).all()
