"""The dashboard of the jobs, for operators: users who have the flag `is_admin`, and a password."""

from __future__ import annotations

from flask import abort, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin.base import Admin, AdminIndexView, expose
from flask_admin.menu import MenuLink

from flask_queue.admin.views import QueueView

from . import security


class OperatorsOnly(AdminIndexView):
    """The rule of the whole admin: the dashboard obeys it too."""

    @expose()
    def index(self) -> ResponseReturnValue:
        return redirect(url_for("queues.index"))

    def is_accessible(self) -> bool:
        user = security.current_user()
        return user is not None and user.is_admin

    def inaccessible_callback(self, name: str, **kwargs: object) -> ResponseReturnValue:
        if security.current_user() is not None:
            abort(403, "This is for operators.")
        return redirect(url_for("pages.sign_in"))

    def is_visible(self) -> bool:
        return False


class Queues(QueueView):
    """The dashboard; its audit trail names our users."""

    def user(self) -> str:
        user = security.current_user()
        return user.email if user else "nobody"


admin = Admin(name="Example", index_view=OperatorsOnly())
admin.add_view(Queues(endpoint="queues"))
admin.add_link(MenuLink("Back to the example", endpoint="pages.jobs"))
