"""From the figures of some rounds to tables: pooled, paired round by round, and put into the docs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.peers.plots import plot
from benchmarks.peers.ratios import GOALS, Spread, spread
from benchmarks.peers.render import BEGIN, END, render
from benchmarks.peers.report import report
from benchmarks.peers.table import ADAPTERS, PEERS, chosen

SVG = "{http://www.w3.org/2000/svg}"
PAGE = Path(__file__).parents[2] / "docs" / "how-fast.md"


def peer(*rounds: dict[str, Any]) -> dict[str, Any]:
    """What a run knows of a peer."""
    facts = {"setting": "8 threads", "guarantee": "back", "keeps": "all"}
    return {**facts, "versions": {"python": "3.11"}, "rounds": list(rounds), "failures": []}


@pytest.fixture
def results() -> dict[str, Any]:
    """Two rounds, the second one on a machine that is half as fast."""
    machine = {"processor": "P", "cores": 2, "memory_bytes": 2**34, "system": "Linux", "redis": "7", "python": "3.11"}
    peers = {
        "flask-queue": peer(
            {"drain_1_per_s": 16_000.0, "pickup_ms": [1.0, 2.0], "idle_trips_per_s": 0.0},
            {"drain_1_per_s": 8_000.0, "pickup_ms": [1.0, 4.0], "idle_trips_per_s": 0.5},
        ),
        "dramatiq": peer(
            {"drain_1_per_s": 1_600.0, "pickup_ms": [100.0, 200.0], "idle_trips_per_s": 8.0},
            {"drain_1_per_s": 1_000.0, "pickup_ms": [100.0, 400.0], "idle_trips_per_s": 8.0},
        ),
    }
    moments = [{"ping_us": 100.0, "load": 0.1}, {"ping_us": 200.0, "load": 2.0}]
    return {"machine": machine, "moments": moments, "peers": peers, "skipped": {}, "quick": False}


def ratio(results: dict[str, Any], text: str) -> Spread:
    """The first of that text, against dramatiq."""
    [goal] = [goal for goal in GOALS if goal.text == text and goal.theirs[0] == "dramatiq"]
    found = goal.ratio(results)
    assert found is not None
    return found


def test_speeds_are_compared_within_a_round(results: dict[str, Any]) -> None:
    """The machine was slower in the second, for both: 10 and 8 times, though the slower 8,000 are 5 times 1,600."""
    assert ratio(results, "drain, 1 process") == Spread(9.0, 8.0, 10.0)


def test_samples_are_pooled(results: dict[str, Any]) -> None:
    """A quantile is that of all samples of all rounds, least and most are those of a round."""
    assert spread(results, "flask-queue", "pickup_ms", 0.99) == Spread(4.0, 2.0, 4.0)
    assert ratio(results, "idle pick-up, p99") == Spread(100.0, 100.0, 100.0)


def test_nothing_at_all_is_infinitely_better(results: dict[str, Any]) -> None:
    """A worker that sent nothing while it was idle is no fault of the arithmetic."""
    assert ratio(results, "idle round trips, 3 queues").most == float("inf")
    assert spread(results, "flask-queue", "idle_trips_per_s") == Spread(0.25, 0.0, 0.5)


def test_a_peer_that_fell_out_shows_as_such(results: dict[str, Any]) -> None:
    """What is missing is a dash, and why is told before all figures."""
    results["peers"]["dramatiq"] = peer() | {"failures": ["round 1: a worker has ended"]}
    results["skipped"] = {"sidekiq": "install it"}
    text = report(results)
    assert "| dramatiq | – | – | – | – | – | – |" in text
    tables = text.index("###")
    assert text.index("a worker has ended") < tables
    assert text.index("install it") < tables
    assert "drain, 1 process | dramatiq" not in text


def test_a_look_is_not_taken_for_a_measurement(results: dict[str, Any]) -> None:
    """What --quick found says so first."""
    assert "--quick" in report(results | {"quick": True}).splitlines()[0]


def test_figures_replace_those_in_the_page(results: dict[str, Any]) -> None:
    """Twice is as good as once, and what stands around them stays."""
    page = render(f"head\n{BEGIN}\nold\n{END}\ntail\n", report(results))
    assert page.startswith("head\n")
    assert page.endswith("tail\n")
    assert "old" not in page
    assert render(page, report(results)) == page
    with pytest.raises(ValueError, match="no <!-- figures"):
        render("no marks", "figures")


def test_the_page_has_a_place_for_them() -> None:
    """docs/how-fast.md is what the figures are put into."""
    assert render(PAGE.read_text(), "figures") != PAGE.read_text()


def test_the_plot_has_a_bar_for_each_peer(results: dict[str, Any], tmp_path: Path) -> None:
    """With its figure written beside it, and a dash where there is none; and it is the same each time."""
    plot(results, tmp_path / "figures.svg")
    drawn = (tmp_path / "figures.svg").read_text()
    words = ["".join(each.itertext()) for each in ElementTree.fromstring(drawn).iter(f"{SVG}text")]
    assert words.count("flask-queue") == words.count("dramatiq") == 3
    assert {"12,000", "1,300", "4", "400"} <= set(words)
    assert words.count("–") == 2 * 4
    plot(results, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == drawn


def test_every_peer_has_an_adapter() -> None:
    """By default all but the variant are measured; a name that is none is an error."""
    assert all((ADAPTERS / each.adapter).exists() for each in PEERS)
    assert {each.name for each in PEERS} - {each.name for each in chosen([])} == {"bullmq-removing"}
    assert [each.name for each in chosen(["rq", "flask-queue"])] == ["rq", "flask-queue"]
    with pytest.raises(KeyError):
        chosen(["rabbits"])
