"""An hour, a day and a week in which a queue was busy: what its charts would show."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING, Any

from flask_queue.current import broker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

#: Of each queue: jobs a minute, share of failures, and how long a run and a wait are (ms).
BUSY = {"emails": (48, 0.02, 180, 20), "default": (14, 0.05, 900, 40), "images": (9, 0.01, 2600, 400)}
MINUTES, HOURS = 1440, 168


def write(app: Flask, seed: int = 7) -> None:
    """Write it into the tallies, as `lua/includes/tally.lua` keeps them; the same seed makes the same curves."""
    dice, store = random.Random(seed), broker_of(app).store
    now = int(time.time() // 60)
    for queue, (rate, share, run_ms, wait_ms) in BUSY.items():
        keys = store.transitions.keys(queue)
        for name, unit, wanted in (("minutes", 1, MINUTES), ("hours", 60, HOURS)):
            newest = now // unit
            steps: dict[Any, Any] = {
                number: _counts(dice, rate * unit * _daytime(number * unit, dice), share, run_ms, wait_ms)
                for number in range(newest - wanted + 1, newest)
            }
            store.client.hset(keys[name], mapping=steps)
        # The minute that is not over, in which all jobs of a picture were really run.
        current = _counts(dice, rate * _daytime(now, dice), share, run_ms, wait_ms).split()
        store.client.delete(keys["minute"])
        store.client.hset(keys["minute"], mapping={"at": now, **dict(zip(current[::2], current[1::2], strict=True))})


def _daytime(minute: int, dice: random.Random) -> float:
    """Nights are quiet, and no minute is like the one before."""
    wave = 0.65 + 0.35 * math.sin(2 * math.pi * (minute / 1440 - 0.3))
    return wave * dice.uniform(0.8, 1.2) * (1 + 0.15 * math.sin(minute / 7))


def _counts(dice: random.Random, jobs: float, share: float, run_ms: float, wait_ms: float) -> str:
    ended = max(1, round(jobs))
    failed = sum(dice.random() < share for _ in range(min(ended, 400)))
    parts = {"d": ended + dice.randint(0, 3), "c": ended - failed, "f": failed, "a": dice.randint(0, failed + 1)}
    parts |= dict(_histogram(dice, "r", ended, run_ms)) | dict(_histogram(dice, "w", ended, wait_ms))
    return " ".join(f"{name} {count}" for name, count in parts.items() if count)


def _histogram(dice: random.Random, kind: str, ended: int, middle_ms: float) -> Iterator[tuple[str, int]]:
    """Buckets of the lengths, which scatter around the middle."""
    for share, factor in ((0.6, 1.0), (0.3, 1.8), (0.1, 4.0)):
        length_ms = middle_ms * factor * dice.uniform(0.85, 1.15)
        yield f"{kind}{1 + int(math.log(length_ms) / math.log(1.2))}", max(1, round(ended * share))
