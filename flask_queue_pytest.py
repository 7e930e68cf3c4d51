"""pytest's way to the test kit. A module of its own, so that suites without it import nothing of flask-queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask_queue.testing import Fake


@pytest.fixture
def queue_fake() -> Iterator[Fake]:
    """What is dispatched in the test, on any app, is recorded, not stored and not run; a flask_queue.testing.Fake."""
    from flask_queue.substitutes import EVERYWHERE
    from flask_queue.testing import Fake

    fake = Fake()
    with EVERYWHERE.using(fake):
        yield fake
