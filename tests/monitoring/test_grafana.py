"""The Grafana dashboard and the alert rules ask for what there is."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from flask_queue import Job, Queue
from flask_queue.current import current_broker
from flask_queue.metrics import exposition
from flask_queue.monitor import Monitor
from tests.docs.pages import ROOT
from tests.needs import require
from tests.worker.conftest import MakeBench, make_bench

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_bench"]  # a fixture

FOLDER = ROOT / "deploy" / "grafana"
BOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]

#: Whatever is scraped has them.
OF_TARGETS = {"job", "instance"}
SELECTOR = re.compile(r"(flask_queue_\w+)(?:\{(.*?)\})?")


class Nothing(Job):
    """On one of two queues."""

    def handle(self) -> None:
        """Do nothing."""


def queries() -> dict[str, str]:
    """What panels and alerts ask, by their titles, and what the choices of the dashboard do."""
    panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in BOARD["panels"]
        for target in panel["targets"]
    }
    variables = {each["name"]: each["definition"] for each in BOARD["templating"]["list"] if "definition" in each}
    return panels | variables | {rule["alert"]: rule["expr"] for rule in RULES}


@pytest.fixture
def labels(make_bench: MakeBench) -> dict[str, list[dict[str, str]]]:
    """The labels of each sample that a scrape brings, by name."""
    make_bench(Nothing, queues=[Queue("default"), Queue("emails")])
    families = list(text_string_to_metric_families(exposition(Monitor(current_broker()))))
    samples = [sample for family in families for sample in family.samples]
    return {name: [each.labels for each in samples if each.name == name] for name in {each.name for each in samples}}


def test_every_query_finds_its_metrics_and_labels(labels: dict[str, list[dict[str, str]]]) -> None:
    """And the values that it picks."""
    used = set()
    for title, query in queries().items():
        found = SELECTOR.findall(query)
        assert found, title
        by = [label for group in re.findall(r"by \((.*?)\)", query) for label in group.split(", ")]
        for name, matchers in found:
            assert name in labels, (title, name)
            used.add(re.sub("_(bucket|sum|count)$", "", name))
            known = {label for each in labels[name] for label in each} | OF_TARGETS
            assert known.issuperset(by), title
            for label, value in re.findall(r'(\w+)=~?"(.*?)"', matchers):
                assert label in known, (title, label)
                assert value.startswith("$") or value in {each[label] for each in labels[name]}, (title, value)
        if title in {variable["name"] for variable in BOARD["templating"]["list"]}:
            assert re.findall(r", (\w+)\)$", query)[0] in known
    everything = {re.sub("_(bucket|sum|count)$", "", name) for name in labels}
    assert used == everything, "a metric that nobody looks at"


def kept(query: str) -> set[str]:
    """The labels that a query's results have."""
    groups = re.findall(r"by \((.*?)\)", query)
    return set(groups[0].split(", ")) if groups and not query.startswith(("sum(", "max(")) else set()


def test_legends_and_texts_name_labels_that_results_have() -> None:
    """What a query sums up is gone."""
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept(target["expr"]), panel["title"]
    for rule in RULES:
        assert set(rule["annotations"]) == {"summary", "description"}
        named = re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))
        assert set(named) <= kept(rule["expr"]), rule["alert"]
        assert rule["for"]
        assert set(rule["labels"]) == {"severity"}


def test_panels_do_not_overlap() -> None:
    """Each has an id and a place of its own; all ask the chosen Prometheus."""
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


@pytest.mark.slow
def test_prometheus_takes_rules_and_queries(tmp_path: Path) -> None:
    """By its own tool: every query parses, and every alert fires when it should."""
    promtool = require("promtool")
    filled = {"$__rate_interval": "5m", "$job": "queues", "$queue": ".+"}
    rules = []
    for number, query in enumerate(query for query in queries().values() if "label_values" not in query):
        for variable, value in filled.items():
            query = query.replace(variable, value)
        rules.append({"record": f"query:{number}", "expr": query})
    (tmp_path / "queries.yaml").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    checked = ["check", "rules", str(tmp_path / "queries.yaml")]
    for command in (checked, ["test", "rules", "tests/monitoring/alerts.yaml"]):
        done = subprocess.run([promtool, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
