"""`flask queue dev`: web server and workers in one terminal, on an embedded server if none is configured."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import click
from flask import current_app
from flask.cli import ScriptInfo, pass_script_info

from ..broker import QueueBroker
from ..current import current_broker
from . import beacon
from .children import Children
from .group import examples, queue_cli
from .reach import check
from .stopping import on_stop

#: What is used when nothing names a server: a folder inside the instance folder.
FALLBACK = "embedded://queue"
#: Seconds between two looks at the children.
LOOK_S = 0.1
#: Seconds that the children get at the end, beyond what running jobs get.
MARGIN_S = 5.0


@queue_cli.command("dev", epilog=examples("dev", "dev --port 8000"))
@click.option("--host", help="The web server's, as of flask run.")
@click.option("--port", type=click.IntRange(0, 65_535), help="The web server's, as of flask run.")
@pass_script_info
def dev(info: ScriptInfo, host: str | None, port: int | None) -> None:
    """Run web server and workers in one terminal.

    And, if no server is configured, an embedded one. Until Ctrl-C.
    """
    news: SimpleQueue[str] = SimpleQueue()
    on_stop(news.put, news.put)
    broker = current_broker()
    with _server(broker) as settings, Children(_flask(info), settings, on_closed=news.put) as children:
        children.start("web", "run", *_option("--host", host), *_option("--port", port))
        children.start("worker", "queue", "work")
        children.guard()
        was_asked = _watch(children, news)
        _end(children, news, broker.config.shutdown_timeout_s + MARGIN_S)
    sys.exit(0 if was_asked else 1)


@contextmanager
def _server(broker: QueueBroker) -> Iterator[Mapping[str, str]]:
    """Make sure that there is one; what the children need in their environment to find it."""
    if broker.config.redis_configured:
        check(broker.store)
        yield {}
        return
    with beacon.leave(current_app.instance_path, FALLBACK):
        broker.store = broker.store.at(FALLBACK)
        check(broker.store)
        folder = Path(current_app.instance_path, "queue")
        _say(f"QUEUE_REDIS_URL is not set: using {FALLBACK}, an embedded server with its data in {folder}.")
        yield {"QUEUE_REDIS_URL": FALLBACK}


def _flask(info: ScriptInfo) -> list[str]:
    """The command line that this process was started with, up to the name of the command."""
    spec = sys.modules["__main__"].__spec__
    program = [sys.argv[0]] if spec is None else ["-m", spec.name.removesuffix(".__main__")]
    return [sys.executable, *program, *_option("--app", info.app_import_path)]


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]


def _watch(children: Children, news: SimpleQueue[str]) -> bool:
    """Wait until it is time to end; whether somebody asked for that, or a child has ended by itself."""
    while True:
        try:
            _say(f"{news.get(timeout=LOOK_S)}: ending. Once more to end at once.")
            return True
        except Empty:
            if ended := children.ended():
                _say(f"{ended}: ending the rest.")
                return False


def _end(children: Children, news: SimpleQueue[str], limit_s: float) -> None:
    """Ask the children to end, and wait; after the limit, or another signal, they are killed as the context ends."""
    children.terminate()
    deadline_s = time.monotonic() + limit_s
    while children.are_running() and time.monotonic() < deadline_s and news.empty():
        time.sleep(LOOK_S / 2)


def _say(text: str) -> None:
    try:
        click.echo(f"[dev]    {text}", err=True)
    except OSError:
        # A terminal that was closed is why it ends, not a reason to end in another way. What is buffered must not raise
        # once more as Python ends: that makes the status 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
