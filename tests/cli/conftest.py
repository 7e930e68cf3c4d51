"""Fixtures: an app in this process, the same app in processes of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_queue.cli import queue_cli
from flask_queue.current import broker_of
from flask_queue.store.transitions import CycleRequest
from flask_queue.worker import Worker
from tests.cli import program
from tests.cli.processes import CommandLine
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

    Invoke = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the app in `app.py`, where Flask finds it."""
    shutil.copy(program.__file__, tmp_path / "app.py")
    return tmp_path


@pytest.fixture
def bare(folder: Path) -> Iterator[CommandLine]:
    """The command line of an app for which no server is configured."""
    commands = CommandLine(folder)
    yield commands
    commands.close()


@pytest.fixture
def flask(folder: Path, redis_url: str) -> Iterator[CommandLine]:
    """The command line of an app on the shared server."""
    commands = CommandLine(folder, QUEUE_REDIS_URL=redis_url)
    yield commands
    commands.close()


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may harm; it keeps its data."""
    with RedisServer(appendonly=True) as server:
        yield server


@pytest.fixture(scope="module")
def frozen() -> Iterator[RedisServer]:
    """A server that takes connections and says nothing."""
    with RedisServer() as server:
        server.freeze()
        yield server


@pytest.fixture
def app(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The app in this process, inside its context, on the shared server."""
    monkeypatch.setenv("QUEUE_REDIS_URL", redis_url)
    app = Flask("app", instance_path=str(tmp_path))
    program.queue.init_app(app)
    with app.app_context():
        yield app
    broker_of(app).close()


@pytest.fixture
def invoke(app: Flask) -> Invoke:
    """Runs `flask queue` with these words in this process."""
    return lambda *words, **options: app.test_cli_runner().invoke(queue_cli, words, **options)


@pytest.fixture
def claim(app: Flask) -> Callable[[], None]:
    """Takes the next job of `default`, as a worker would that does not get on with it."""

    def take() -> None:
        broker = broker_of(app)
        request = CycleRequest("default", want=1, idle=1)
        broker.store.transitions.cycle(broker.store.client, "w1", broker.retention, [request])

    return take


@pytest.fixture
def work(app: Flask) -> Callable[[], None]:
    """Runs all jobs that are waiting or due."""

    def run() -> None:
        worker = Worker(broker_of(app), is_burst=True)
        worker.start()
        assert worker.join(20)
        assert worker.stop()

    return run
