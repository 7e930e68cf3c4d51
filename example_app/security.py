"""Who is signed in, and which requests and contents browsers may mix with ours."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, abort, request, session

from .models import User, db

CONTENT_POLICY = "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"


def init_app(app: Flask) -> None:
    app.before_request(refuse_other_sites)
    app.after_request(add_headers)


def sign_in(user: User) -> None:
    session.clear()
    session["user_id"] = user.id


def sign_out() -> None:
    session.clear()


def current_user() -> User | None:
    user_id = session.get("user_id")
    return db.session.get(User, user_id) if user_id else None


def refuse_other_sites() -> None:
    """Another site must not make a visitor's browser change something here (CSRF).

    Every current browser says where a request comes from; a program that says nothing has no cookie to abuse.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        abort(403, "This form belongs to another site.")
    origin = request.headers.get("Origin")
    if site is None and origin is not None and urlsplit(origin).netloc != request.host:
        abort(403, "This form belongs to another site.")


def add_headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
