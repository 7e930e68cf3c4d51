"""For tests of apps: `queue.fake()`, `queue.inline()`, and running what is due by hand; see `docs/testing.md`.

pytest has the fixture `queue_fake`: a `Fake` for every app.
"""

from __future__ import annotations

from .fake import Fake, Inline
from .hand import drain, run_once, travel

__all__ = ["Fake", "Inline", "drain", "run_once", "travel"]
