"""What Dramatiq's tests import from their `common` module; the sdist does not carry it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pika import PlainCredentials  # type: ignore[import-untyped]

from tests.upstream.broker import TestedWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.upstream.broker import TestedBroker

F = TypeVar("F")

#: For brokers that are made, and never connect.
RABBITMQ_CREDENTIALS = PlainCredentials("nobody", "nothing")


def _unchanged(test: F) -> F:
    """Nothing is skipped here: the marks are for machines and interpreters that are not ours."""
    return test


skip_in_ci = skip_on_pypy = skip_on_windows = _unchanged


@contextmanager
def worker(broker: TestedBroker, **options: Any) -> Iterator[TestedWorker]:
    """A worker that runs inside the block."""
    running = TestedWorker(broker, **options)
    running.start()
    try:
        yield running
    finally:
        running.stop()
