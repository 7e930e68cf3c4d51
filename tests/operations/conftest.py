"""The benches of the worker's tests serve here, too."""

from __future__ import annotations

from tests.worker.conftest import make_bench, own_server

__all__ = ["make_bench", "own_server"]
