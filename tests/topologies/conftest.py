"""The benches of the worker's tests serve here, too."""

from __future__ import annotations

from tests.worker.conftest import make_bench

__all__ = ["make_bench"]
