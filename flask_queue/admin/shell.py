"""A view of Flask-Admin that is closed by default, and safe against other sites: what our pages have in common."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import flask_admin
from flask import Response, abort, current_app, flash, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin.base import Admin, BaseView
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader

from ..current import current_broker
from ..errors import JobNotFound, QueueError, QueueUnavailable, UnknownQueue
from . import charts, guard, show
from .access import Access, Refusal, Verdict, judge
from .desk import Desk

HERE = Path(__file__).parent
#: The endpoint of an Admin that we make ourselves; its index has the rule of the dashboard, none of its own.
OWN_ENDPOINT = "flask_queue"
#: The tabs: the section of a page, its label, its endpoint.
NAVIGATION = (
    ("overview", "Overview", ".index"),
    ("jobs", "Jobs", ".jobs"),
    ("failures", "Failures", ".failures"),
    ("queues", "Queues", ".queues"),
    ("workers", "Workers", ".workers"),
    ("audit", "Audit", ".audit"),
    ("about", "About", ".about"),
)
#: What a request of our script says of itself.
LIVE_HEADER = "X-Flask-Queue-Live"
#: What makes no other page of it: what it shows of the clock, which grows old by itself, and the app's nonce.
_FLEETING = re.compile(rb'(<time [^>]*>)[^<]*| nonce="[^"]*"')


class Shell(BaseView):
    """Access, tokens, errors, headers and templates of the dashboard's pages."""

    #: Seconds between two live updates of an open page.
    live_interval_s: ClassVar[int] = 5
    #: The tabs: section, label, endpoint; a subclass with pages of its own adds some.
    navigation: ClassVar[Sequence[tuple[str, str, str]]] = NAVIGATION

    def __init__(self, name: str = "Queues", *, endpoint: str = "flask_queue_admin", **options: Any) -> None:
        options.setdefault("url", "queues")
        options |= {"static_folder": str(HERE / "static"), "static_url_path": "/static"}
        super().__init__(name, endpoint=endpoint, **options)

    def verdict(self) -> Verdict:
        """Who asks, and what they may do; asked once a request."""
        return judge(current_broker().config, self._app_rule())

    def user(self) -> str:
        """Who the audit trail says it was: the user of HTTP Basic, or of Flask-Login."""
        if (known := self._verdict.user) is not None:
            return known
        if "login_manager" in current_app.extensions or hasattr(current_app, "login_manager"):
            # Not a dependency: whoever has it has made a login_manager.
            return str(import_module("flask_login").current_user.get_id() or "dashboard")
        return "dashboard"

    def is_accessible(self) -> bool:
        """Whether the visitor may see the dashboard."""
        return self._verdict.access is not Access.NONE

    @property
    def desk(self) -> Desk:
        """What the current request works with."""
        return Desk(current_broker(), self.user(), self._why_read_only is None)

    def page(self, name: str, *, status: int = 200, **context: Any) -> Response:
        """The page made from `templates/flask_queue/<name>.html`.

        Args:
            name: of the template; also the section of `navigation` that is shown as the current one, unless `context`
                names another `section`.
            status: of HTTP.
            context: what the template gets besides what all pages have.
        """
        context |= {
            "draw": charts,
            "address": request.script_root + request.full_path.removesuffix("?"),
            "navigation": self.navigation,
            "section": context.get("section", name),
            "shell": self._shell(),
            "show": show,
            "token": guard.token() if self._why_read_only is None else "",
            "why_read_only": self._why_read_only,
            "live_interval_s": self.live_interval_s,
            "static": self._static_url,
        }
        return make_response(self.render(f"flask_queue/{name}.html", **context), status)

    def back(self, message: str, *, to: str | None = None, is_error: bool = False) -> ResponseReturnValue:
        """The end of a change: a redirect to a page that tells what happened.

        Args:
            message: what happened.
            to: the address of that page; None for the one whose form was sent.
            is_error: shown as one.
        """
        flash(message, "error" if is_error else "success")
        return redirect(to or self._origin(), 303)

    def file(self, text: str, mimetype: str, name: str) -> Response:
        """A file to keep, which no browser opens as a page."""
        response = Response(text, mimetype=mimetype)
        response.headers.set("Content-Disposition", "attachment", filename=name)
        return response

    def _handle_view(self, name: str, **kwargs: Any) -> ResponseReturnValue | None:
        if not self.is_accessible():
            return self._finish(self._refuse(name, kwargs))
        if request.method not in guard.SAFE_METHODS:
            fault = guard.fault_of_change(self._verdict.access)
            if fault is not None:
                return self._finish(self.page("error", section="", status=403, title="Not done", message=fault))
        return None

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Flask-Admin's own calls the view a second time, with other arguments, if that raises a TypeError.
        try:
            return self._finish(make_response(fn(self, *args, **kwargs)))
        except QueueUnavailable as error:
            return self._finish(self.page("error", section="", status=503, title="Redis is away", message=str(error)))
        except (JobNotFound, UnknownQueue) as error:
            return self._finish(self.page("error", section="", status=404, title="Not found", message=str(error)))
        except QueueError as error:
            if request.method in guard.SAFE_METHODS:
                return self._finish(self.page("error", section="", status=400, title="Not done", message=str(error)))
            return self._finish(make_response(self.back(str(error), is_error=True)))

    def _finish(self, response: Response) -> Response:
        has_policy_of_its_own = self._owner.csp_nonce_generator is not None or self._is_shell_custom()
        guard.add_headers(response, with_policy=not has_policy_of_its_own)
        # What is sent piece by piece, an export, is never held as a whole.
        is_page = response.status_code == 200 and not response.is_streamed and not response.direct_passthrough
        if is_page and request.headers.get(LIVE_HEADER):
            response.set_etag(
                hashlib.sha1(_FLEETING.sub(rb"\1", response.get_data()), usedforsecurity=False).hexdigest()
            )
            response.make_conditional(request)
        return response

    def _refuse(self, name: str, kwargs: dict[str, Any]) -> Response:
        """What a visitor gets who may not see this; a script is never sent to a page for signing in."""
        verdict = self._verdict
        is_script = request.headers.get(LIVE_HEADER) or request.headers.get("Sec-Fetch-Dest") == "empty"
        if verdict.refusal is Refusal.ASK_PASSWORD:
            response = make_response("Sign in with the username and password of the dashboard.", 401)
            if not is_script:
                response.headers["WWW-Authenticate"] = 'Basic realm="queues", charset="UTF-8"'
            return response
        if verdict.refusal is Refusal.BY_APP and not is_script:
            answer: Any = self._owner.index_view.inaccessible_callback(name, **kwargs)
            return make_response(answer if answer is not None else abort(403))
        response = make_response("The dashboard is closed to you.\n", 403)
        response.mimetype = "text/plain"
        return response

    @property
    def _verdict(self) -> Verdict:
        # Not in `g`: all requests that are made inside of one app context share that.
        key = f"_flask_queue_verdict_{self.endpoint}"
        if not hasattr(request, key):
            setattr(request, key, self.verdict())
        found: Verdict = getattr(request, key)
        return found

    @property
    def _why_read_only(self) -> str | None:
        return guard.why_read_only(self._verdict.access)

    @property
    def _owner(self) -> Admin:
        assert self.admin is not None, "set when the view was added to an Admin"
        return self.admin

    def _app_rule(self) -> Callable[[], Any] | None:
        index = self._owner.index_view
        has_rule = type(index).is_accessible is not BaseView.is_accessible and index.endpoint != OWN_ENDPOINT
        return index.is_accessible if has_rule else None

    def _origin(self) -> str:
        """The page of ours from which a form was sent."""
        here, came_from = url_for(".index"), request.form.get("back", "")
        # Two slashes begin the address of another host; they can only stand there where the dashboard is at the root.
        is_ours = came_from.startswith(here) and not came_from.startswith("//") and came_from.isprintable()
        return came_from if is_ours else here

    def create_blueprint(self, admin: Admin) -> Any:
        """As in Flask-Admin, with our templates: those that an app overrides can extend ours as `!flask_queue/…`."""
        blueprint = super().create_blueprint(admin)
        templates = HERE / "templates"
        ours = PrefixLoader({"!flask_queue": FileSystemLoader(templates / "flask_queue")})
        blueprint.jinja_loader = ChoiceLoader([FileSystemLoader(templates), ours])
        return blueprint

    def _get_view_url(self, admin: Admin, url: str | None) -> str:
        # Flask-Admin's own makes `//queues` of it where the Admin is at the root.
        return super()._get_view_url(admin, f"/{url}" if admin.url == "/" and url and url[0] != "/" else url)

    def _shell(self) -> str:
        """What our pages extend: our own document, or the app's base template where it has one."""
        return str(self._owner.theme.base_template) if self._is_shell_custom() else "flask_queue/base.html"

    def _is_shell_custom(self) -> bool:
        name = self._owner.theme.base_template
        if name != "admin/base.html":
            return True
        file = current_app.jinja_env.get_template(name).filename
        return file is None or not Path(file).is_relative_to(Path(flask_admin.__file__).parent)

    def _static_url(self, filename: str) -> str:
        return url_for(".static", filename=filename, v=_digest(filename))


@cache
def _digest(filename: str) -> str:
    """Tells browsers that a file has changed."""
    return hashlib.sha256((HERE / "static" / filename).read_bytes()).hexdigest()[:10]
