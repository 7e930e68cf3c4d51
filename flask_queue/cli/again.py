"""The command that started this process, to run it again: for each worker process, and after a restart."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from ..environment import read_dotenv


class Command:
    """This process's command line and environment, as they were when it started.

    Flask has put what `.env` files say into the environment. That is left out, so that a process which starts later
    reads them anew.
    """

    def __init__(self) -> None:
        self.line = [sys.executable, *sys.orig_argv[1:]]
        files, _ = read_dotenv()
        self.environment: Mapping[str, str] = {
            key: value for key, value in os.environ.items() if files.get(key) != value
        }

    def replace_this_process(self) -> None:
        """Become a new process of the same id. Returns never."""
        os.execve(self.line[0], self.line, dict(self.environment))
