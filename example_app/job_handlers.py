"""Every job of the application: what is not listed here cannot be dispatched."""

from .jobs.deliver_webhook import DeliverWebhook
from .jobs.import_contacts import ImportContacts
from .jobs.make_thumbnails import MakeThumbnails
from .jobs.send_welcome_email import SendWelcomeEmail

JOBS = [
    DeliverWebhook,
    ImportContacts,
    MakeThumbnails,
    SendWelcomeEmail,
]
