"""A small application that does its slow work with flask-queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from . import security
from .api import api
from .cli import create_operator, dispatch_missing
from .config import load_config
from .extensions import admin, db, queue
from .models import create_tables
from .pages import pages


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Build the application: the web server, the workers and the command line all start here.

    Args:
        overrides: Settings that win over everything else, for tests.
    """
    config = {**load_config(), **(overrides or {})}
    app = Flask(__name__, instance_path=config["INSTANCE_PATH"])
    app.config.from_mapping(config)

    db.init_app(app)
    admin.init_app(app)
    queue.init_app(app)
    security.init_app(app)
    app.register_blueprint(pages)
    app.register_blueprint(api)
    app.cli.add_command(dispatch_missing)
    app.cli.add_command(create_operator)

    with app.app_context():
        create_tables()
    return app
