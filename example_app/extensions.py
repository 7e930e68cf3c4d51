"""The Flask extensions, made once; `create_app` ties them to each application."""

from flask_queue import FlaskQueue

from .job_handlers import JOBS
from .models import db
from .queues import QUEUES

__all__ = ["db", "queue"]

queue = FlaskQueue(queues=QUEUES, jobs=JOBS)
