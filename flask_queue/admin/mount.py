"""Puts the dashboard into an app's Admin, or into one that is made for it."""

from __future__ import annotations

from typing import Any

from flask import Flask, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin.base import Admin, AdminIndexView, expose

from ..errors import ConfigError
from .shell import OWN_ENDPOINT
from .views import QueueView

OWN_URL = "/admin"


class OwnIndex(AdminIndexView):
    """The index of an Admin that we made ourselves: it leads to the dashboard, and keeps its rule."""

    def __init__(self, queues: QueueView) -> None:
        super().__init__(endpoint=OWN_ENDPOINT, url=OWN_URL)
        self._queues = queues

    @expose()
    def index(self) -> ResponseReturnValue:
        """Leads to the dashboard."""
        return redirect(url_for(f"{self._queues.endpoint}.index"))

    def is_accessible(self) -> bool:
        """As the dashboard."""
        return self._queues.is_accessible()

    def is_visible(self) -> bool:
        """Not in the menu: it shows nothing."""
        return False

    def _handle_view(self, name: str, **kwargs: Any) -> ResponseReturnValue | None:
        return self._queues._handle_view(name, **kwargs)


def mount(app: Flask, admin: object = None) -> None:
    """Add the dashboard to this Admin, else to the app's only one, else to one that is made for it at `/admin`.

    Raises:
        ConfigError: it is no Admin, or the app has several.
    """
    if admin is not None and not isinstance(admin, Admin):
        raise ConfigError([f"admin={admin!r}: give your flask_admin.Admin, or False for no dashboard"])
    chosen = admin or _only_admin(app)
    if chosen is None:
        view = QueueView()
        # An app that tells hosts apart has it on each of them.
        host = "*" if app.url_map.host_matching else None
        Admin(app, name=app.name, index_view=OwnIndex(view), host=host).add_view(view)
    elif not any(isinstance(view, QueueView) for view in chosen._views):
        chosen.add_view(QueueView())


def _only_admin(app: Flask) -> Admin | None:
    admins: list[Admin] = app.extensions.get("admin", [])
    if len(admins) > 1 and any(admin.url == OWN_URL for admin in admins):
        raise ConfigError(
            [f"admin: the app has {len(admins)} Admins: say which one gets the dashboard, FlaskQueue(admin=…)"]
        )
    return admins[0] if len(admins) == 1 else None
