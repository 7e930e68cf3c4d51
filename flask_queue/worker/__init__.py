"""The worker: one pump for all Redis I/O, one pool of threads for each queue, one executor for every run."""

from __future__ import annotations

from .worker import Worker

__all__ = ["Worker"]
