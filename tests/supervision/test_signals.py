"""Signals that do not arrive as expected."""

from __future__ import annotations

import ctypes
import signal
from pathlib import Path

import pytest

from tests.supervision.conftest import PATIENCE_S, Site
from tests.supervision.program import Nap

tgkill = getattr(ctypes.CDLL(None), "tgkill", None)


@pytest.mark.skipif(tgkill is None or not Path("/proc/self/task").exists(), reason="needs Linux")
def test_a_signal_that_another_thread_receives_ends_the_worker(site: Site) -> None:
    """A kernel may choose any thread of a process; Python runs the handler on the main one, which must not sleep on."""
    worker = site.work()
    site.finished(Nap.dispatch("n").id)
    threads = {int(path.name) for path in Path(f"/proc/{worker.process.pid}/task").iterdir()}
    other = max(threads - {worker.process.pid})
    assert tgkill is not None
    assert tgkill(worker.process.pid, other, signal.SIGTERM) == 0
    assert worker.process.wait(PATIENCE_S / 4) == 0
    assert "SIGTERM: finishing what runs" in worker.printed
