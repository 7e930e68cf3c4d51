"""What the guides promise of their jobs is so: each is run by hand, with servers of its own where it needs some."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image

from example_app.demo.mailbox import Mailbox
from flask_queue import JobRecord
from flask_queue.testing import drain
from tests.docs.pages import blocks, follow


class Guide:
    """A page that was followed: what it defines, with its jobs registered."""

    def __init__(self, name: str, names: dict[str, Any]) -> None:
        self.queue, self.app = names["queue"], names["app"]
        follow(Path(f"docs/guides/{name}.md"), names)
        self.names = names

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    def run(self, record: JobRecord) -> JobRecord:
        """The job, once what is due has been run."""
        drain()
        found: JobRecord = self.queue.get(record.id)
        return found


def test_mail(names: dict[str, Any], tmp_path: Path) -> None:
    """One mail for one invoice, however often the job runs."""
    guide = Guide("mail", names)
    db = guide["db"]
    with Mailbox(tmp_path / "mails", announce=False) as mailbox:
        guide.app.config["MAIL_PORT"] = mailbox.port
        db.create_all()
        db.session.add(guide["Invoice"](id=7, email="ada@example.com", text="12 €"))
        db.session.commit()
        for _ in range(2):
            assert guide.run(guide["SendInvoice"].dispatch(invoice_id=7)).state == "completed"
        (mail,) = mailbox.mails()
    assert message_from_bytes(mail.read_bytes())["Message-ID"] == "<invoice-7@shop.example>"
    db.session.remove()
    db.engine.dispose()
    assert 3 <= hours(guide["SendInvoice"]) < 4


def hours(job: Any) -> float:
    """How long all retries of a job take, on average."""
    longest_s = (job.backoff.min_s * 2**retry for retry in range(job.max_retries))
    seconds: float = sum(min(job.backoff.max_s, each) * 0.75 for each in longest_s)
    return seconds / 3600


@pytest.mark.parametrize("is_picture", [True, False])
def test_uploads(names: dict[str, Any], is_picture: bool) -> None:
    """A picture gets its thumbnail; of what is none the first run is the last."""
    guide = Guide("uploads", names)
    file = io.BytesIO(b"no picture")
    if is_picture:
        Image.new("RGB", (600, 300)).save(file := io.BytesIO(), format="PNG")
        file.seek(0)
    answer = guide.app.test_client().post("/photos", data={"photo": (file, "cat.png")})
    assert answer.status_code == 202
    drain()
    record = guide.queue.get(answer.json["job"])
    if is_picture:
        with Image.open(guide["photo"](record.result)) as image:
            assert image.size == (256, 128)
    else:
        assert (record.state, record.attempts, record.error.type) == ("failed", 1, "UnidentifiedImageError")


def test_progress(names: dict[str, Any], tmp_path: Path) -> None:
    """The page knows how far it is, and that it is done; the log has what was skipped."""
    guide = Guide("progress", names)
    (tmp_path / "contacts").write_text("\n".join(["ada@example.com"] * 249 + ["nobody"]))
    record = guide["ImportContacts"].dispatch(path=str(tmp_path / "contacts"))
    visitor = guide.app.test_client()
    assert visitor.get(f"/imports/{record.id}").json == {"state": "waiting", "percent": 0}
    assert guide.run(record).progress == (200, 250)
    assert visitor.get(f"/imports/{record.id}").json == {"state": "completed", "percent": 100}
    assert guide.queue.logs(record.id) == ["row 250 has no address: nobody"]
    assert visitor.get("/imports/default:unknown").status_code == 404


@contextmanager
def receiver(status: int, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that answers so, and the `Webhook-Id` of each of its requests."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.headers["Webhook-Id"])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", seen
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("status", "state", "wait_s"),
    [(200, "completed", None), (500, "delayed", 5), (429, "delayed", 40), (404, "failed", None)],
)
def test_webhooks(
    names: dict[str, Any], status: int, state: str, wait_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivered, sent again after a back-off, when they say, or not at all; always under the job's id."""
    monkeypatch.setenv("no_proxy", "*")
    guide = Guide("webhooks", names)
    assert 12 < hours(guide["DeliverWebhook"]) < 24
    with receiver(status, **({"Retry_After": "40"} if status == 429 else {})) as (url, seen):
        record = guide.run(guide["DeliverWebhook"].dispatch(url=url, event="paid", data={"order": 7}))
    assert (record.state, seen) == (state, [record.id])
    if wait_s is not None:
        assert record.scheduled_at is not None
        assert timedelta(0) < record.scheduled_at - datetime.now(UTC) <= timedelta(seconds=wait_s)


def test_rate_limited_apis(names: dict[str, Any]) -> None:
    """A job that comes too early goes back, and has spent no attempt."""
    guide = Guide("rate-limited-apis", names)
    assert guide["queue"] is not guide.queue
    answer = guide["Answer"]
    answer.status, answer.retry_after_s = 429, 30.0
    record = guide.run(guide["PushCustomer"].dispatch(customer_id=7))
    assert (record.state, record.attempts) == ("delayed", 0)


def test_unique_jobs(names: dict[str, Any]) -> None:
    """The second click finds the job of the first; a sync may be asked for again once it is done, a welcome may not."""
    guide = Guide("unique-jobs", names)
    guide.queue.register(guide["SendWelcomeEmail"])
    visitor = guide.app.test_client()
    for path, again in (("/accounts/8/sync", False), ("/welcome/7", True)):
        first, second = (visitor.post(path).json for _ in range(2))
        assert (first["was_there"], second) == (False, {"job": first["job"], "was_there": True})
        drain()
        assert visitor.post(path).json["was_there"] is again


def test_several_apps(redis_url: str, tmp_path: Path) -> None:
    """Each has jobs of its own."""
    for block in blocks(Path("docs/guides/several-apps.md"), "python"):
        (tmp_path / str(block.file)).write_text(block.code)
    environment = {**os.environ, "QUEUE_REDIS_URL": redis_url, "FLASK_QUEUE_DASHBOARD": "0"}
    done = subprocess.run(
        [sys.executable, "one.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_async(names: dict[str, Any]) -> None:
    """All is fetched, and told."""
    guide = Guide("async", names)
    record = guide.run(guide["Crawl"].dispatch(urls=["a", "bc"]))
    assert (record.state, record.result) == ("completed", 3)
    assert guide.queue.logs(record.id) == ["fetched 2 pages"]


def test_every_guide_is_here() -> None:
    """By its name."""
    guides = {path.stem.replace("-", "_") for path in Path("docs/guides").glob("*.md")}
    tests = set(re.findall(r"^def test_(\w+)\(", Path(__file__).read_text(), re.MULTILINE))
    assert guides <= tests
