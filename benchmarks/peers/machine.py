"""What the figures of a run depend on: the machine, and how fast it is in this moment."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.server import Server
from benchmarks.peers.table import ADAPTERS

_MS = 0.001
_LONG = 1_000_000
#: Milliseconds that each of two processes computes to find the limit of two.
_STRETCH = 500
_PINGS = 2000
#: 8 handlers at a time that wait for 10 ms.
NAPS_LIMIT_PER_S = 800.0


def describe(server: Server) -> dict[str, Any]:
    """The machine, and the server's version."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "redis": server.info()["redis_version"],
        "python": platform.python_version(),
    }


def spins_per_ms() -> int:
    """How many iterations of the handlers' loop take one millisecond here, at best."""
    code = f"import time; t = time.perf_counter(); spin_loop({_LONG}); print(time.perf_counter() - t)"
    best_s = min(float(_python(code)[0]) for _ in range(5))
    return round(_LONG * _MS / best_s)


def measure(server: Server, spins: int) -> dict[str, float]:
    """How fast the machine is now: what all figures of a round are to be seen against."""
    started = time.perf_counter()
    for _ in range(_PINGS):
        server.client.ping()
    ping_us = (time.perf_counter() - started) / _PINGS * 1e6
    code = f"""
import time
t = time.perf_counter()
for _ in range({_STRETCH}):
    spin_loop({spins})
print(time.perf_counter() - t)
"""
    seconds = [float(text) for text in _python(code, processes=2)]
    return {
        "ping_us": ping_us,
        "bare_spins_per_s": sum(_STRETCH / each for each in seconds),
        "naps_limit_per_s": NAPS_LIMIT_PER_S,
        "load": os.getloadavg()[0],
    }


def _python(code: str, *, processes: int = 1) -> list[str]:
    """What each of some interpreters prints that run this at the same time, with the handlers' loop at hand."""
    command = [sys.executable, "-c", f"from handlers import spin_loop\n{code}"]
    running = [subprocess.Popen(command, cwd=ADAPTERS, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return [process.communicate()[0] for process in running]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
