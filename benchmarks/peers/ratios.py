"""flask-queue against its peers: what is compared, and what is aimed at."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Results: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over all rounds: the median, or the quantile of all samples; least and most of any round."""

    middle: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure of ours against one of a peer, or of the machine: how many times as good it should be."""

    text: str
    #: Peer and figure.
    ours: tuple[str, str]
    theirs: tuple[str, str]
    #: None where there is only an aim.
    least: float | None
    aim: float
    #: Costs and times: less is better.
    is_cost: bool = False
    #: Of many samples, the one below which this share of them lies.
    share: float = 0.5

    def ratio(self, results: Results) -> Spread | None:
        """How many times as good it is: of the figures of the same round each, since machines have moods."""
        pairs = zip(_values(results, *self.ours), _values(results, *self.theirs), strict=True)
        both = [(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
        ratios = [self._of(_quantile(ours, self.share), _quantile(theirs, self.share)) for ours, theirs in both]
        if not ratios:
            return None
        middle = statistics.median(ratios)
        if isinstance(both[0][0], list):
            pooled = ([sample for pair in both for sample in pair[side]] for side in (0, 1))
            middle = self._of(*(_quantile(samples, self.share) for samples in pooled))
        return Spread(middle, min(ratios), max(ratios))

    def _of(self, ours: float, theirs: float) -> float:
        better, worse = (theirs, ours) if self.is_cost else (ours, theirs)
        return better / worse if worse else float("inf")


def spread(results: Results, peer: str, figure: str, share: float = 0.5) -> Spread | None:
    """A figure of a peer; None if it has none."""
    values = [value for value in _values(results, peer, figure) if value is not None]
    if not values:
        return None
    each = [_quantile(value, share) for value in values]
    if isinstance(values[0], list):
        return Spread(_quantile([sample for value in values for sample in value], share), min(each), max(each))
    return Spread(statistics.median(each), min(each), max(each))


def _values(results: Results, peer: str, figure: str) -> list[Any]:
    """What each round found; None where it found nothing."""
    rounds = results["moments"] if peer == "machine" else results["peers"].get(peer, {}).get("rounds", [])
    values = [None if (value := each.get(figure)) == [] else value for each in rounds]
    return values + [None] * (len(results["moments"]) - len(values))


def _quantile(value: Any, share: float) -> float:
    if not isinstance(value, list):
        return float(value)
    ordered: Sequence[float] = sorted(value)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _more(
    text: str,
    figure: str,
    peer: str,
    least: float | None,
    aim: float,
    *,
    theirs: str = "",
    ours: str = "flask-queue",
) -> Goal:
    return Goal(text, (ours, figure), (peer, theirs or figure), least, aim)


def _less(text: str, figure: str, peer: str, least: float | None, aim: float, *, share: float = 0.5) -> Goal:
    return Goal(text, ("flask-queue", figure), (peer, figure), least, aim, is_cost=True, share=share)


GOALS: tuple[Goal, ...] = (
    _more("drain, 1 process", "drain_1_per_s", "dramatiq", 8, 12),
    _more("the same with dramatiq's middleware added", "drain_1_per_s", "dramatiq", 4, 6, ours="flask-queue+stock"),
    _more("drain, 1 process", "drain_1_per_s", "bullmq", 2.5, 4),
    _more("drain, 1 process", "drain_1_per_s", "sidekiq", 3, 4.5),
    _more("drain, 2 processes", "drain_2_per_s", "dramatiq", 8, 12),
    _more("dispatch, one at a time", "enqueue_per_s", "dramatiq", 2.5, 4),
    _more("dispatch, one at a time", "enqueue_per_s", "huey", 1.3, 2),
    _more("dispatch, one at a time", "enqueue_per_s", "bullmq", 1.3, 2),
    _more("dispatch, one at a time", "enqueue_per_s", "sidekiq", 1.3, 2),
    _more("`dispatch_many`, against one at a time", "bulk_per_s", "dramatiq", 15, 25, theirs="enqueue_per_s"),
    _more("`dispatch_many`", "bulk_per_s", "sidekiq", 1, 2),
    _less("idle pick-up, p50", "pickup_ms", "dramatiq", 30, 60),
    _less("idle pick-up, p99", "pickup_ms", "dramatiq", 30, 80, share=0.99),
    _less("idle pick-up, p50", "pickup_ms", "sidekiq", 1, 1.4),
    _less("idle pick-up, p99", "pickup_ms", "sidekiq", 1, 1.4, share=0.99),
    _less("worker CPU a job", "drain_1_worker_us", "dramatiq", 8, 13),
    _less("Redis CPU a job", "drain_1_redis_us", "dramatiq", 3, 5),
    _less("Redis memory, waiting job", "waiting_bytes", "dramatiq", 1.25, 2),
    _less("Redis memory, waiting job", "waiting_bytes", "bullmq", None, 1.1),
    _less("Redis memory, completed job", "completed_bytes", "bullmq", 1, 1.6),
    _less("idle round trips, 3 queues", "idle_trips_per_s", "dramatiq", 5.2, 9.7),
    _more("handlers that wait 10 ms, of 800/s", "naps_per_s", "machine", 0.97, 0.99, theirs="naps_limit_per_s"),
    _more(
        "handlers that compute 1 ms, 2 processes, of a bare loop's",
        "spins_per_s",
        "machine",
        0.88,
        0.93,
        theirs="bare_spins_per_s",
    ),
)
