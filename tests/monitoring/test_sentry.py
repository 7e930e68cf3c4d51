"""Sentry's own integration, in a web process and a worker, and what it sends to a server of this machine."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import run
from threading import Thread
from typing import Any

from sentry_sdk.envelope import Envelope

from tests.cli.processes import CommandLine
from tests.docs.pages import blocks

PAGE = Path("docs/monitoring.md")
#: Added to the app that the page shows.
MORE = '''
from flask import current_app
from flask_queue import Fail, Release, Retry


class Charge(Job):
    max_retries = 1
    backoff = (0,)

    def handle(self, card_number: str, token: str) -> None:
        raise ValueError(f"refused by {current_app.name}")


class Ask(Job):
    backoff = (0,)

    def handle(self) -> None:
        if self.attempt == 1 and self.record.history:
            raise Retry(delay_s=0)
        if self.attempt == 1:
            raise Release(delay_s=0)


queue.register(Charge, Ask)
WEB = """
import app
web = app.create_app()
web.add_url_rule("/charge", "buy", lambda: [app.Charge.dispatch("4111", "hush").id, app.Ask.dispatch().id])
print(*web.test_client().get("/charge").json)
"""
'''


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a server that takes what is sent, and what it has got."""
    items: list[dict[str, Any]] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            items.extend(item.payload.json for item in Envelope.deserialize(body).items if item.payload.json)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://key@127.0.0.1:{server.server_port}/1", items
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sent(folder: Path, url: str, init: str = "") -> tuple[list[str], list[dict[str, Any]]]:
    """Ids of the jobs that a request dispatched, and all that web process and worker sent."""
    [text] = [block.code for block in blocks(PAGE, "python") if block.file == "app.py"]
    (folder / "app.py").write_text(text.replace("traces_sample_rate", f"{init}traces_sample_rate") + MORE)
    with receiver() as (address, items):
        commands = CommandLine(folder, QUEUE_REDIS_URL=url, SENTRY_DSN=address, NO_PROXY="*")
        web = run(
            [sys.executable, "-c", "import app; exec(app.WEB)"],
            cwd=folder,
            env=commands.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert web.returncode == 0, web.stderr
        worked = commands.run("queue", "work", "--burst")
        assert worked.returncode == 0, worked.stderr
    return web.stdout.split(), items


def variables(events: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The local variables of `handle`, but for `self`."""
    stacks = [value["stacktrace"]["frames"] for event in events for value in event["exception"]["values"]]
    runs = [frame["vars"] for stack in stacks for frame in stack if frame["function"] == "handle"]
    return [{name: value for name, value in run.items() if name != "self"} for run in runs]


def test_failed_runs_and_traces_reach_sentry(redis_url: str, tmp_path: Path) -> None:
    """An event for each run that failed, none for what a job asks for; a request and all runs are one trace."""
    [charge, _], items = sent(tmp_path, redis_url)
    events = [item for item in items if "exception" in item]
    assert [item for item in items if item.get("level") == "error" and "exception" not in item] == []
    assert len(events) == 2
    for event in events:
        assert event["transaction"] == "Charge"
        assert event["exception"]["values"][-1]["value"] == "refused by app"
        data = event["contexts"]["dramatiq"]["data"]
        assert data["queue_name"] == "default"
        assert f"{data['queue_name']}:{event['extra']['dramatiq_message_id']}" == charge
    transactions = [item for item in items if item.get("type") == "transaction"]
    assert sorted(item["transaction"] for item in transactions) == ["Ask"] * 3 + ["Charge"] * 2 + ["buy"]
    assert len({item["contexts"]["trace"]["trace_id"] for item in [*events, *transactions]}) == 1

    # As the page says: payloads go there, and of variables what the scrubber does not know by name.
    assert data["kwargs"] == {"card_number": "4111", "token": "hush"}
    assert variables(events) == [{"card_number": "'4111'", "token": "[Filtered]"}] * 2


def test_payloads_and_variables_can_be_kept_from_sentry(redis_url: str, tmp_path: Path) -> None:
    """By its two settings that the page names."""
    _, items = sent(tmp_path, redis_url, 'max_request_body_size="never", include_local_variables=False, ')
    assert len([item for item in items if "exception" in item]) == 2
    assert not [item for item in items if "4111" in str(item) or "hush" in str(item)]
