"""The settings files, as users copy them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import patch

from dotenv import dotenv_values

from example_app import create_app
from example_app.config import ENV_FILE
from example_app.extensions import queue

if TYPE_CHECKING:
    from pathlib import Path


def test_the_example_comes_with_a_server_of_its_own(tmp_path: Path) -> None:
    """Nothing but the committed `.env` is needed: it names the embedded server."""
    with patch.dict(os.environ, {"INSTANCE_PATH": str(tmp_path)}, clear=True):
        app = create_app()
    with app.app_context():
        assert queue.broker.config.redis_url == "embedded://queue"
    assert app.instance_path == str(tmp_path)


def test_what_the_environment_says_wins_over_the_file(tmp_path: Path) -> None:
    """Every setting of `.env.example` can come from the environment; its words for no password and no folder work."""
    settings = dotenv_values(ENV_FILE.with_name(".env.example"))
    environment = {key: value or "" for key, value in settings.items()}
    environment |= {"QUEUE_REDIS_URL": "redis://127.0.0.1:1/0", "MAIL_PORT": "2525", "QUEUE_CONCURRENCY_EMAILS": "8"}
    with patch.dict(os.environ, environment, clear=True):
        app = create_app({"INSTANCE_PATH": str(tmp_path)})
    with app.app_context():
        assert queue.broker.config.redis_url == "redis://127.0.0.1:1/0"
        assert queue.broker.queues["emails"].concurrency == 8
    assert app.config["MAIL_PORT"] == 2525
