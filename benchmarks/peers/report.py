"""The figures of a run as tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.ratios import GOALS, Goal, Results, Spread, spread

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of every peer."""

    head: str
    figure: str
    share: float = 0.5
    scale: float = 1.0


SPEED = (
    Column("enqueue one", "enqueue_per_s"),
    Column("in bulk", "bulk_per_s"),
    Column("drain, 1 process", "drain_1_per_s"),
    Column("drain, 2 processes", "drain_2_per_s"),
    Column("wait 10 ms", "naps_per_s"),
    Column("compute 1 ms, 2 processes", "spins_per_s"),
)
LATENCY = (
    Column("idle p50", "pickup_ms"),
    Column("idle p99", "pickup_ms", 0.99),
    Column("half load p50", "half_load_ms"),
    Column("half load p99", "half_load_ms", 0.99),
    Column("jobs a second then", "half_load_per_s"),
)
COST = (
    Column("worker µs", "drain_1_worker_us"),
    Column("Redis µs", "drain_1_redis_us"),
    Column("round trips", "drain_1_trips"),
    Column("commands", "drain_1_commands"),
    Column("sender µs", "enqueue_client_us"),
    Column("idle round trips a second", "idle_trips_per_s"),
    Column("idle worker ms a second", "idle_cpu_ms_per_s"),
    Column("worker MiB", "worker_pss_bytes", scale=1 / MIB),
    Column("start s", "start_s"),
)
MEMORY = tuple(Column(state, f"{state}_bytes") for state in ("waiting", "delayed", "completed", "failed"))


def report(results: Results) -> str:
    """Everything: machine, tables, ratios, and what each peer keeps."""
    parts = [
        _warnings(results),
        _machine(results),
        "### Jobs a second\n\n" + _table(results, SPEED),
        "### Milliseconds from dispatch to handler\n\n" + _table(results, LATENCY),
        "### What a no-op job costs, and a worker process\n\n" + _table(results, COST),
        "### Redis bytes a job, tiny payload\n\n" + _table(results, MEMORY),
        "### flask-queue against its peers: how many times as good\n\n" + _ratios(results),
        "### Who was measured\n\n" + _peers(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _warnings(results: Results) -> str:
    lines = ["**Measured with `--quick`: shows that the harness works, not how fast anything is.**"]
    lines = lines if results["quick"] else []
    lines += [f"**{name} was not measured: {reason}**" for name, reason in results["skipped"].items()]
    lines += [f"**{name}: {failure}**" for name, peer in results["peers"].items() for failure in peer["failures"]]
    return "\n\n".join(lines)


def _machine(results: Results) -> str:
    machine, rounds = results["machine"], len(results["moments"])
    moments = [
        f"{text} {number(values.middle)} ({number(values.least)}–{number(values.most)})"
        for text, figure in (("a PING through redis-py µs", "ping_us"), ("load before a round", "load"))
        if (values := spread(results, "machine", figure))
    ]
    return (
        f"{describe(machine)} "
        f"{'Medians' if rounds > 1 else 'Figures'} of {rounds} alternating round{'s' * (rounds > 1)}, "
        f"least and most of any round in parentheses. In that time: {'; '.join(moments)}."
    )


def describe(machine: dict[str, Any]) -> str:
    """The machine of a run, in a sentence."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / MIB / 1024:.0f} GiB; "
        f"{machine['system']}; Redis {machine['redis']} without persistence, Python {machine['python']}."
    )


def _table(results: Results, columns: Sequence[Column]) -> str:
    def row(peer: str) -> list[str]:
        return [peer, *(_cell(results, peer, column) for column in columns)]

    return markdown(["", *(column.head for column in columns)], [row(peer) for peer in results["peers"]])


def _cell(results: Results, peer: str, column: Column) -> str:
    values = spread(results, peer, column.figure, column.share)
    return "–" if values is None else _spread(values, lambda value: number(value * column.scale))


def _ratios(results: Results) -> str:
    heads = ["", "against", "ratio", "at least", "aim", ""]
    rows = [_ratio(goal, ratio) for goal in GOALS if (ratio := goal.ratio(results)) is not None]
    return markdown(heads, rows) if rows else "flask-queue and a peer are needed."


def _ratio(goal: Goal, ratio: Spread) -> list[str]:
    met = "aim" if ratio.middle >= goal.aim else "met" if ratio.middle >= (goal.least or 0.0) else "**missed**"
    least = "–" if goal.least is None else f"{goal.least:g}"
    against = "the machine" if goal.theirs[0] == "machine" else goal.theirs[0]
    return [goal.text, against, _spread(ratio, lambda value: f"{number(value)}×"), least, f"{goal.aim:g}", met]


def _peers(results: Results) -> str:
    rows = [
        [name, _versions(peer["versions"]), peer["setting"], peer["guarantee"], peer["keeps"]]
        for name, peer in results["peers"].items()
    ]
    return markdown(["", "versions", "setting", "job of a worker that is killed", "keeps"], rows)


def _versions(versions: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _spread(values: Spread, text: Callable[[float], str]) -> str:
    if values.least == values.most == values.middle:
        return text(values.middle)
    return f"{text(values.middle)} ({text(values.least)}–{text(values.most)})"


def number(value: float) -> str:
    """Three digits are all that such measurements have."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}" if value >= 0.005 else "0"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
