"""The Flask extensions, made once; `create_app` ties them to each application."""

from flask_queue import FlaskQueue

from .admin import admin
from .job_handlers import JOBS
from .models import db
from .queues import QUEUES

__all__ = ["admin", "db", "queue"]

queue = FlaskQueue(queues=QUEUES, jobs=JOBS, admin=admin)
