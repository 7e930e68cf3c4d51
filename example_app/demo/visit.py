"""What three people do at the web server, over HTTP like their browsers."""

from __future__ import annotations

import io
import json
import time
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from PIL import Image

from .errors import DemoError
from .processes import Children

#: Seconds for the web server to answer for the first time, and for all jobs to be done.
START_S, JOBS_S = 30, 60
POLL_S = 0.1
SETTLED = {"completed", "failed", "cancelled"}
BOUNDARY = "demo-boundary-7MA4YWxk"


class Visitor:
    """A browser with its own cookies."""

    def __init__(self, address: str) -> None:
        self._address = address
        # What is on this machine is not asked for through a proxy.
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()), ProxyHandler({}))

    def get(self, path: str) -> bytes:
        return self._send(Request(self._address + path))

    def jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = json.loads(self.get("/api/jobs"))["jobs"]
        return jobs

    def post_form(self, path: str, **fields: str) -> None:
        self._send(Request(self._address + path, data=urlencode(fields).encode()))

    def post_json(self, path: str, **fields: str) -> None:
        headers = {"Content-Type": "application/json"}
        self._send(Request(self._address + path, data=json.dumps(fields).encode(), headers=headers))

    def post_file(self, path: str, field: str, filename: str, content: bytes) -> None:
        disposition = f'Content-Disposition: form-data; name="{field}"; filename="{filename}"'
        start = f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n"
        data = start.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        self._send(Request(self._address + path, data=data, headers=headers))

    def _send(self, request: Request) -> bytes:
        try:
            with self._opener.open(request, timeout=10) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise DemoError(f"{request.get_method()} {request.full_url} was answered {error.code}: {text}") from None


def wait_until_up(address: str, children: Children) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        children.check()
        try:
            Visitor(address).get("/")
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    raise DemoError(f"the web server did not answer at {address} within {START_S} s")


def visit(address: str, children: Children) -> list[dict[str, Any]]:
    """Sign three people up, upload and announce things, and wait; returns the jobs, done or not."""
    ada, bob, cyd = people = [Visitor(address) for _ in range(3)]
    try:
        ada.post_form("/sign-up", name="Ada", email="ada@example.org")
        bob.post_json("/api/users", name="Bob", email="bob@example.org")
        cyd.post_json("/api/users", name="Cyd", email="cyd@example.org")
        ada.post_file("/api/images", "image", "gradient.png", _image())
        bob.post_file("/api/imports", "file", "contacts.csv", _contacts())
        cyd.post_json("/api/deliveries", event="account.updated")
        return _wait_for_jobs(people, children)
    except OSError as error:
        children.check()
        raise DemoError(f"the web server did not answer: {error}") from error


def _wait_for_jobs(people: list[Visitor], children: Children) -> list[dict[str, Any]]:
    deadline = time.monotonic() + JOBS_S
    while True:
        jobs = [job for person in people for job in person.jobs()]
        if all(job["state"] in SETTLED for job in jobs) or time.monotonic() > deadline:
            return jobs
        children.check()
        time.sleep(POLL_S)


def _image() -> bytes:
    shades = Image.linear_gradient("L").resize((1600, 1200))
    image = Image.merge("RGB", [shades, shades.rotate(180), Image.new("L", shades.size, 160)])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _contacts() -> bytes:
    rows = [f"Person {number},person{number}@example.com" for number in range(1, 501)]
    return "\n".join(["name,email", *rows, "Nobody,no address"]).encode()
