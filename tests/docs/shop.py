"""The application of command lines that are shown: copied to `app.py`, where Flask finds it."""

from __future__ import annotations

from flask import Flask

from flask_queue import FlaskQueue, Job, Queue


class SendWelcomeEmail(Job):
    """Times out for user 42."""

    queue_name = "emails"
    max_retries = 0

    def handle(self, user_id: int, *, plan: str = "free") -> str:
        """Say what is done."""
        self.log(f"writing to user {user_id}")
        if user_id == 42:
            raise TimeoutError("the mail server is slow")
        return f"Welcome to the {plan} plan"


class SendReport(Job):
    """What a schedule dispatches."""

    def handle(self) -> None:
        """Do nothing."""


queue = FlaskQueue(
    queues=[Queue("default"), Queue("emails"), Queue("images")], jobs=[SendWelcomeEmail, SendReport], admin=False
)


def create_app() -> Flask:
    """Make it."""
    app = Flask(__name__)
    queue.init_app(app)
    return app
