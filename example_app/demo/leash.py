"""Runs a `flask` command that ends when the process that started it does, however that one ends.

The parent holds the other end of our standard input and never writes to it: a read returns when the parent is gone.
"""

from __future__ import annotations

import os
import signal
from threading import Thread

from flask.cli import main


def end_with_parent() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    Thread(target=end_with_parent, name="leash", daemon=True).start()
    main()
