"""A pytest plugin: the fixtures of Dramatiq's own tests, on our broker and worker and a server of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dramatiq
import pytest
from dramatiq.rate_limits import RateLimiterBackend
from dramatiq.rate_limits.backends.redis import RedisBackend as RedisRates
from dramatiq.rate_limits.backends.stub import StubBackend as StubRates
from dramatiq.results import ResultBackend
from dramatiq.results.backends.redis import RedisBackend as RedisResults
from dramatiq.results.backends.stub import StubBackend as StubResults

from tests.servers import RedisServer
from tests.upstream.broker import TestedBroker, TestedWorker
from tests.upstream.common import worker
from tests.upstream.redis_broker import TestedRedisBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    """A server for this run."""
    with RedisServer() as started:
        yield started


@pytest.fixture(autouse=True)
def our_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that make a worker by themselves get ours, too."""
    monkeypatch.setattr("dramatiq.worker.Worker", TestedWorker)


@pytest.fixture
def redis_client(server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the server, which is empty when the test starts."""
    with server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def stub_broker(server: RedisServer, redis_client: redis.Redis) -> Iterator[TestedBroker]:
    """Our broker, in place of Dramatiq's stub."""
    yield from _as_global_broker(TestedBroker(server.url, fail_fast=True))


@pytest.fixture
def redis_broker(server: RedisServer, redis_client: redis.Redis) -> Iterator[TestedBroker]:
    """Our broker, in place of Dramatiq's RedisBroker."""
    yield from _as_global_broker(TestedRedisBroker(server.url))


@pytest.fixture
def stub_worker(stub_broker: TestedBroker) -> Iterator[TestedWorker]:
    """Our worker."""
    with worker(stub_broker, worker_timeout=100, worker_threads=32) as running:
        yield running


@pytest.fixture
def redis_worker(redis_broker: TestedBroker) -> Iterator[TestedWorker]:
    """Our worker."""
    with worker(redis_broker, worker_timeout=100, worker_threads=32) as running:
        yield running


@pytest.fixture
def redis_result_backend(redis_client: redis.Redis) -> ResultBackend:
    """Dramatiq's own, on our server."""
    return RedisResults(client=redis_client)


@pytest.fixture(params=["redis", "stub"])
def result_backend(request: pytest.FixtureRequest, redis_client: redis.Redis) -> ResultBackend:
    """Each of Dramatiq's own that our users can have without another server."""
    return StubResults() if request.param == "stub" else RedisResults(client=redis_client)


@pytest.fixture(params=["redis", "stub"])
def rate_limiter_backend(request: pytest.FixtureRequest, redis_client: redis.Redis) -> RateLimiterBackend:
    """Each of Dramatiq's own that our users can have without another server."""
    return StubRates() if request.param == "stub" else RedisRates(client=redis_client)


def _as_global_broker(broker: TestedBroker) -> Iterator[TestedBroker]:
    broker.boot_process()
    dramatiq.set_broker(broker)
    yield broker
    broker.close()
