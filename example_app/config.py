"""Where the settings come from: the environment first, then the `.env` file beside this one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

ENV_FILE = Path(__file__).with_name(".env")


def load_config() -> dict[str, Any]:
    """Every setting of the application itself.

    Flask finds a `.env` file in the folder it is run in, or above. This one is loaded by name, so that the example
    works from the top of the clone too. flask-queue then finds its own settings, QUEUE_REDIS_URL and the like, in the
    environment.
    """
    load_dotenv(ENV_FILE)
    return {
        "SECRET_KEY": os.environ["SECRET_KEY"],
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SQLALCHEMY_DATABASE_URI": os.environ.get("DATABASE_URL") or "sqlite:///example.db",
        "MAIL_HOST": os.environ.get("MAIL_HOST") or "127.0.0.1",
        "MAIL_PORT": int(os.environ.get("MAIL_PORT") or 1025),
        "MAIL_FROM": os.environ.get("MAIL_FROM") or "hello@example.org",
        "WEBHOOK_URL": os.environ.get("WEBHOOK_URL") or "http://127.0.0.1:9000/hook",
        # Database, uploads and embedded server keep their files here; None means Flask's own choice.
        "INSTANCE_PATH": os.environ.get("INSTANCE_PATH") or None,
        # Larger requests get a 413 before their body is read.
        "MAX_CONTENT_LENGTH": 5 * 1024 * 1024,
    }
