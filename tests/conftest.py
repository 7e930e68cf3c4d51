"""Fixtures for the whole suite, and its closing line about what this machine lacks."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import flask_queue
from tests.databases import PostgresServer
from tests.needs import closing_line, require
from tests.servers import RedisServer, default_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that the tests of a session share; tests that stop or harm one start a `RedisServer` of their own.

    Its kind is this machine's default one, or that of an indirect parameter.
    """
    with RedisServer(kind=getattr(request, "param", default_kind())) as server:
        yield server


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the shared server, which is empty when the test starts."""
    with redis_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def redis_url(redis_server: RedisServer, redis_client: redis.Redis) -> str:
    """The address of the shared server, which is empty when the test starts."""
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that the tests of a session share; each makes the tables that it needs, and drops them."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _untraced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Measure no coverage in a test that is marked `untraced`, nor in the processes that it starts.

    While an interrupt waits for a thread that is inside a C call, CPython 3.11 hangs all threads that are traced.
    """
    if request.node.get_closest_marker("untraced") is None:
        yield
        return
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    main, threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    yield
    sys.settrace(main)
    threading.settrace(threads)


def pytest_configure() -> None:
    """Take signals as on a terminal: `nohup` and a shell's `&` ignore some, which processes of tests inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that meet a real server, so that `-m "not redis"` runs the pure ones alone."""
    for item in items:
        if "redis_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.redis)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in CI fail, a test that is marked with a need that this machine lacks."""
    for marker in item.iter_markers("needs"):
        require(marker.args[0])


def pytest_report_header() -> str:
    """Say which flask_queue is tested: the source tree's, or an installed one."""
    return f"flask_queue: {flask_queue.__path__[0]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Close with one line about the tests that this machine could not run."""
    reports = terminalreporter.stats.get("skipped", [])
    line = closing_line([report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple)])
    if line:
        terminalreporter.write_line(line, yellow=True)
