"""What all jobs of the Python peers do. `sent_us` is 0, or when the job was sent: its latency is written down then."""

from __future__ import annotations

import os
import time

#: Iterations of `spin_loop` that take one millisecond here.
SPINS = int(os.environ.get("BENCH_SPINS", "10000"))
NAP_S = 0.01


def now_us() -> int:
    """Microseconds of a clock that all processes of a machine share."""
    return time.monotonic_ns() // 1000


def note(sent_us: int) -> None:
    """Write down when the job was sent, how long it took until here, and where."""
    if sent_us:
        log = os.open(os.environ["BENCH_LOG"], os.O_WRONLY | os.O_APPEND)
        os.write(log, f"{sent_us} {now_us() - sent_us} {os.getpid()}\n".encode())
        os.close(log)


def nothing(sent_us: int) -> None:
    note(sent_us)


def nap(sent_us: int) -> None:
    """Wait as for a network."""
    note(sent_us)
    time.sleep(NAP_S)


def spin(sent_us: int) -> None:
    """Compute for a millisecond."""
    note(sent_us)
    spin_loop(SPINS)


def fails(sent_us: int) -> None:
    raise ValueError("no such user")


def spin_loop(count: int) -> int:
    total = 0
    for number in range(count):
        total += number & 7
    return total
