"""How much memory this process takes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def rss_bytes() -> int:
    """Resident memory of this process; 0 where nothing tells."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return _ask_ps()
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _ask_ps() -> int:
    """As `/proc` is Linux's alone."""
    command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
    try:
        kib = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return 0
    return int(kib or 0) * 1024
