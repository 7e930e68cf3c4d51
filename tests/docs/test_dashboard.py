"""What the page about the dashboard shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flask_queue import Job

PAGE = Path(__file__).resolve().parents[2] / "docs" / "dashboard.md"
#: A name in backticks and a colon on a line, and the file that follows.
_FILE = re.compile(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Refund(Job):
    """A job of the shop."""

    def handle(self, order_id: str) -> None:
        """Do nothing."""


def test_the_dashboard_that_was_made_ones_own(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own page with a button, its block on ours, its users in the audit trail, its column and its action."""
    files = dict(_FILE.findall(PAGE.read_text()))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    for name, value in {"SECRET_KEY": "s", "TESTING": "true", "QUEUE_REDIS_URL": redis_url}.items():
        monkeypatch.setenv(f"FLASK_{name}", value)
    program: dict[str, Any] = {"__name__": "shop"}
    exec(compile(files["shop.py"], str(PAGE), "exec", dont_inherit=True), program)
    app = program["create_app"]()
    queue, visitor = app.extensions["queue"], app.test_client()
    queue.register(Refund)

    overview = visitor.get("/admin/queues/").text
    assert "What to do at night" in overview
    assert overview.index("Operations</summary>") < overview.index(">Background jobs</a>")
    with app.app_context():
        queue.pause("refunds", "Ask Ada")
    with visitor.session_transaction() as session:
        session["user_name"] = "ada"
    page = visitor.get("/admin/queues/paused/").text
    assert "refunds: Ask Ada" in page
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    action = re.findall(r'action="([^"]*/resume)"', page)[0]
    assert visitor.post(action, data=fields).headers["Location"] == "/admin/queues/paused/"
    with app.app_context():
        assert queue.paused() == {}
        assert queue.audit().entries[0].actor == "ada"
        record = Refund.dispatch(order_id="N-1 <3>")
    jobs = visitor.get("/admin/queues/jobs/").text
    assert ">Order</th>" in jobs
    assert "N-1 &lt;3&gt;</td>" in jobs
    selected = {**fields, "action": "tell", "rowid": record.id, "back": "/admin/queues/jobs/"}
    answer = visitor.post("/admin/queues/jobs/action/", data=selected, follow_redirects=True).text
    assert "Told about 1 jobs." in answer


def test_the_files_that_it_links_to_are_there() -> None:
    """In the repository."""
    for link in re.findall(r"\]\((\.\.?/[^)#]+)\)", PAGE.read_text()):
        assert (PAGE.parent / link).exists(), link
