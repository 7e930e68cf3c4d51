"""The command line: `flask queue …`.

Flask imports this for every `flask` command of every app that is near: what is heavy is imported by the commands.
"""

from __future__ import annotations

from . import act, dev, doctor, failures, make, metrics, operate, queues, read, work, workers
from .group import queue_cli

__all__ = ["queue_cli"]

#: Importing a module adds its commands.
_COMMANDS = (act, dev, doctor, failures, make, metrics, operate, queues, read, work, workers)
