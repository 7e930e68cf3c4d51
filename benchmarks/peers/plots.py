"""Plots of a run, as SVG."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.peers.ratios import Results, spread

PLOTS = (
    ("drain", "no-op jobs a second, 1 process", "drain_1_per_s", 0.5),
    ("dispatch", "dispatches a second, one at a time", "enqueue_per_s", 0.5),
    ("pickup", "idle pick-up, p99 in ms", "pickup_ms", 0.99),
    ("cpu", "worker CPU a job in µs", "drain_1_worker_us", 0.5),
    ("memory", "Redis bytes of a waiting job", "waiting_bytes", 0.5),
)


def plot(results: Results, folder: Path) -> None:
    """One file a figure, `<name>.svg`: a bar a peer, with the least and most of any round."""
    for name, title, figure, share in PLOTS:
        bars = {peer: values for peer in results["peers"] if (values := spread(results, peer, figure, share))}
        if not bars:
            continue
        drawing = Figure(figsize=(7, 0.4 * len(bars) + 1), layout="constrained")
        axes = drawing.subplots()
        middles = [each.middle for each in bars.values()]
        below = [max(0.0, each.middle - each.least) for each in bars.values()]
        above = [max(0.0, each.most - each.middle) for each in bars.values()]
        colours = ["#2563eb" if peer.startswith("flask-queue") else "#9ca3af" for peer in bars]
        axes.barh(list(bars), middles, xerr=[below, above], color=colours)
        axes.invert_yaxis()
        axes.set_title(title)
        drawing.savefig(folder / f"{name}.svg", metadata={"Date": None})
