"""What `flask queue work` logs: lines that say which process, job and attempt they are about."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Flask
from flask.logging import default_handler

from ..current import current_run
from .text import printable

Format = Literal["text", "json"]


def set_up_logging(app: Flask, form: Format | None) -> None:
    """Log to standard error: in this form, or, if none was asked for, as text, unless the app has set logging up."""
    if form is None and logging.getLogger().handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    # Flask's own handler, there since the app first logged something, would print those lines twice.
    app.logger.removeHandler(default_handler)


class Text(logging.Formatter):
    """Lines for people: time, level, process, what runs on this thread, message.

    Errors of jobs are logged, and may quote what users have sent: what no terminal should see is escaped.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(process)d%(run)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        run = current_run()
        record.run = f" [{run.job_id} {run.actor_name} attempt {run.attempt}]" if run else ""
        return printable(super().format(record))


class JsonLines(logging.Formatter):
    """Lines for programs: an object each. What belongs to a job has its queue, id, name and attempt."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        data: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if run := current_run():
            data |= {"queue": run.queue_name, "job": run.job_id, "name": run.actor_name, "attempt": run.attempt}
        if record.exc_info:
            data["exception"] = self.formatException(record.exc_info)
        return json.dumps(data)
