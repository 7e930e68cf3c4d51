"""Measures flask-queue and its peers side by side, in alternating rounds: `nox -s bench` (see docs/how-fast.md)."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.peers import machine
from benchmarks.peers.install import Environment, NotInstalled, install
from benchmarks.peers.plan import QUICK, Plan
from benchmarks.peers.report import report
from benchmarks.peers.server import serving
from benchmarks.peers.session import Figures, Session
from benchmarks.peers.table import PEERS, Peer, chosen


def main() -> None:
    """Install, measure, report."""
    options = _options()
    if not sys.platform.startswith("linux"):
        sys.exit("The benchmark reads /proc: it runs on Linux.")
    plan = QUICK if options.quick else Plan()
    plan = replace(plan, rounds=options.rounds or plan.rounds)
    peers, skipped = _install_all(options)
    results = measure_all(peers, plan, options.output) | {"skipped": skipped, "quick": options.quick}
    path: Path = options.output / "figures.json"
    path.write_text(json.dumps(results, indent=1))
    text = report(results)
    (options.output / "figures.md").write_text(text)
    print(text)
    if options.plots:
        # Imported late: matplotlib is there only where plots are wanted.
        from benchmarks.peers.plots import plot

        plot(results, options.output / "figures.svg")
    print(f"Figures: {path}", file=sys.stderr)
    if skipped or any(peer["failures"] for peer in results["peers"].values()):
        sys.exit(1)


def measure_all(peers: dict[Peer, Environment], plan: Plan, folder: Path) -> dict[str, Any]:
    """All rounds. In each, every peer is measured once; the order turns, so that none is always the first."""
    spins = machine.spins_per_ms()
    results: dict[str, Any] = {"plan": asdict(plan), "spins_per_ms": spins, "moments": []}
    results["peers"] = {peer.name: _facts(peer) for peer in peers}
    with serving() as server:
        results["machine"] = machine.describe(server)
    order = list(peers)
    with (folder / "log").open("ab") as log:
        for number in range(plan.rounds):
            with serving() as server:
                results["moments"].append(machine.measure(server, spins))
            for peer in order:
                entry = results["peers"][peer.name]
                print(f"round {number + 1} of {plan.rounds}: {peer.name} ...", end=" ", file=sys.stderr, flush=True)
                started = time.monotonic()
                with serving() as server, tempfile.TemporaryDirectory() as scratch:
                    session = Session(peer, peers[peer], server, plan, Path(scratch), spins, log)
                    try:
                        session.measure(thoroughly=number == 0)
                    except (RuntimeError, TimeoutError) as error:
                        entry["failures"].append(f"round {number + 1}: {error}")
                entry["versions"] = session.figures.pop("versions", {})
                entry["rounds"].append(session.figures)
                print(f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            order = order[1:] + order[:1]
    return results


def _facts(peer: Peer) -> Figures:
    """What the report says of a peer beside its figures."""
    facts = {"setting": peer.setting, "guarantee": peer.guarantee, "keeps": peer.keeps}
    return {**facts, "versions": {}, "rounds": [], "failures": []}


def _install_all(options: argparse.Namespace) -> tuple[dict[Peer, Environment], dict[str, str]]:
    peers, skipped = {}, {}
    for peer in options.only:
        try:
            peers[peer] = install(peer, options.environments, flask_queue=options.flask_queue)
        except NotInstalled as error:
            skipped[peer.name] = str(error)
            print(error, file=sys.stderr)
    return peers, skipped


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    names = ", ".join(peer.name for peer in PEERS)
    parser.add_argument("--only", type=_names, default="", metavar="A,B", help=f"these alone, of {names}")
    parser.add_argument("--quick", action="store_true", help="one round of few jobs: shows that it works, not how fast")
    parser.add_argument("--rounds", type=int, help="5 by default, of which medians are taken")
    parser.add_argument("--plots", action="store_true", help="draw figures.svg too")
    parser.add_argument("--output", type=Path, default=Path(), metavar="FOLDER", help="for figures.json and figures.md")
    parser.add_argument("--environments", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--flask-queue", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    return options


def _names(text: str) -> list[Peer]:
    try:
        return chosen([name.strip() for name in text.split(",") if name.strip()])
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"there is no peer {error}") from None


if __name__ == "__main__":
    main()
