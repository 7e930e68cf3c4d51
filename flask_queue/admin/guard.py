"""What keeps other sites from acting through a visitor's browser, and scripts of others from running in our pages."""

from __future__ import annotations

import hmac
import secrets

from flask import Response, current_app, request, session

from .access import Access

#: Where the session keeps what a token is checked against.
SESSION_KEY = "_flask_queue_token"
#: The form field of the token.
FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Nothing but our own files: no inline script or style, no other host.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NO_SECRET_KEY = "Nothing can be changed here, as the app has no SECRET_KEY: set one, and reload this page."
READ_ONLY = "You may look, but not change anything."


def why_read_only(access: Access) -> str | None:
    """Why nothing can be changed in this request; None where it can."""
    if access is not Access.FULL:
        return READ_ONLY
    return None if current_app.secret_key else NO_SECRET_KEY


def token() -> str:
    """The token of this visitor's session. It lives as long as that: a dashboard stays open for days."""
    if SESSION_KEY not in session:
        session[SESSION_KEY] = secrets.token_urlsafe(24)
    return str(session[SESSION_KEY])


def fault_of_change(access: Access) -> str | None:
    """Why the current request may not change anything; None where it may."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return "This request came from another site, so nothing was changed."
    if (reason := why_read_only(access)) is not None:
        return reason
    known, given = session.get(SESSION_KEY), request.form.get(FIELD, "")
    if not isinstance(known, str) or not hmac.compare_digest(known.encode(), given.encode()):
        return "This form is out of date, so nothing was changed: go back, reload the page and try again."
    return None


def add_headers(response: Response, *, with_policy: bool) -> None:
    """Headers of every page; the content policy is left to the app where it has one, or a template, of its own."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Frame-Options", "DENY")
    # Pages show payloads: they are kept in no cache.
    response.headers.setdefault("Cache-Control", "no-store")
    if with_policy:
        response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
