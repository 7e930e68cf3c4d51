"""How costs grow, on sizes that take no time: what is measured, told and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.growth.__main__ import measure_all
from benchmarks.growth.plan import Plan
from benchmarks.growth.plot import plot
from benchmarks.growth.points import PAGES, STATES
from benchmarks.growth.render import BEGIN, END
from benchmarks.growth.report import report
from benchmarks.peers.render import render, take_plot

FEW, MORE = 64, 1024
TINY = Plan(
    sizes=(FEW, MORE),
    queues=(1, 3),
    queued=64,
    rounds=2,
    one_at_a_time=8,
    at_once=56,
    drains=1,
    drained=64,
    idle_s=0.05,
    requests=1,
)
PAGE = Path(__file__).parents[2] / "docs" / "how-fast.md"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """Of one run, as they are after they were kept as JSON."""
    return measure_all(TINY) | {"quick": True}


@pytest.mark.untraced
@pytest.mark.needs("redis-server")
class TestRun:
    """On real servers, one for each point."""

    @pytest.mark.parametrize("state", STATES)
    def test_a_run_takes_as_many_commands_however_many_jobs_there_are(
        self, results: dict[str, Any], state: str
    ) -> None:
        """Claimed and settled, and promoted or trimmed: counted by the server, the same on any machine."""
        few, more = results["curves"][state].values()
        assert more["run_commands"] <= few["run_commands"] * 1.1
        assert more["run_scripts"] == few["run_scripts"] == 3 / 64

    def test_the_jobs_are_there_while_others_are_measured(self, results: dict[str, Any]) -> None:
        """A job takes what the guards of memory say, about; the first of a queue take more together."""
        for state, (least, most) in {"waiting": (150, 350), "delayed": (250, 550), "completed": (250, 550)}.items():
            assert least < results["curves"][state][str(MORE)]["bytes"] < most, state

    def test_tables_and_plot_tell_every_point(self, results: dict[str, Any], tmp_path: Path) -> None:
        """The numbers of jobs and queues, how costs grew, and that this was no measurement."""
        text = report(results)
        assert text.startswith("**Measured with `--quick`")
        for state in STATES:
            assert f"| {MORE:,} {state} |" in text
        for name in PAGES:
            assert f"| {name} |" in text
        assert "nan" not in text
        plot(results, tmp_path / "growth.svg")
        words = texts(tmp_path / "growth.svg")
        assert {*STATES, *PAGES, "bytes a job"} <= words


def texts(path: Path) -> set[str]:
    """All words that a drawing shows as such."""
    return {
        "".join(each.itertext()).strip() for each in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    }


def test_the_page_has_a_place_for_them(tmp_path: Path) -> None:
    """Tables go between its marks, and the plot that lies beside the figures into a folder beside the page."""
    (tmp_path / "growth.svg").write_text("<svg/>")
    shown = take_plot(tmp_path / "growth.json", tmp_path / "page.md", "growth", "Curves")
    assert shown == "![Curves](plots/growth.svg)\n\n"
    assert (tmp_path / "plots" / "growth.svg").read_text() == "<svg/>"
    page = render(PAGE.read_text(), f"{shown}figures", BEGIN, END)
    assert page != PAGE.read_text()
    assert f"{BEGIN}\n\n![Curves](plots/growth.svg)\n\nfigures\n\n{END}" in page


def test_without_a_plot_there_are_tables_alone(tmp_path: Path) -> None:
    """None was asked for: the page keeps none that would show other figures."""
    assert take_plot(tmp_path / "figures.json", tmp_path / "page.md", "peers", "Bars") == ""
    assert not (tmp_path / "plots").exists()
