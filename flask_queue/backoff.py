"""How long to wait before a retry."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from .environment import number, seconds

#: Exponents beyond this only overflow; any sensible maximum is reached long before.
MAX_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before each retry: a fixed list, or exponential growth with jitter. Made by `fixed` and `exponential`.

    A Job's `backoff` may be a list right away.
    """

    #: The list, if it is one.
    steps_s: tuple[float, ...] = ()
    #: Where growth begins, if it grows.
    min_s: float = 0
    #: Where it ends.
    max_s: float = 0

    @classmethod
    def fixed(cls, steps_s: Sequence[float]) -> Self:
        """Wait for the first value before the first retry, and so on; the last value repeats.

        Args:
            steps_s: seconds, each 0 or more; at least one.

        Raises:
            ValueError: no such list.
        """
        given: object = steps_s
        if not isinstance(given, list | tuple) or not given or not all(_is_wait(step) for step in given):
            raise ValueError("a back-off list needs at least one value, and only numbers of seconds ≥ 0")
        return cls(steps_s=tuple(given))

    @classmethod
    def exponential(cls, min_s: float, max_s: float) -> Self:
        """Double from `min_s` up to `max_s`, each wait drawn from the upper half of its step.

        The jitter keeps jobs that failed together from coming back together.
        Source: "equal jitter" in "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

        Args:
            min_s: seconds, above 0.
            max_s: seconds, no less.

        Raises:
            ValueError: no such numbers.
        """
        if not _is_wait(min_s) or not _is_wait(max_s) or not 0 < min_s <= max_s:
            raise ValueError("exponential back-off needs 0 < min_s <= max_s")
        return cls(min_s=min_s, max_s=max_s)

    def delay_s(self, retry: int, rng: random.Random | None = None) -> float:
        """Seconds before retry number `retry`, counted from 1; `rng` is where chance comes from."""
        if self.steps_s:
            return self.steps_s[min(retry, len(self.steps_s)) - 1]
        step_s: float = min(self.max_s, self.min_s * 2 ** min(retry - 1, MAX_DOUBLINGS))
        return step_s / 2 + (rng or random).uniform(0, step_s / 2)


def _is_wait(value: object) -> bool:
    """Whether it is a number of seconds, of a hundred years at most."""
    try:
        number(value, seconds())
    except ValueError:
        return False
    return True
