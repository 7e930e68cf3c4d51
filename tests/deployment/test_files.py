"""What `deploy/` has and its pages show is true of this version: commands, settings, probes, ports, seconds."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask

from flask_queue.cli import queue_cli
from flask_queue.config import Config
from tests.deployment import files
from tests.deployment.files import compose, container, flask_commands, manifests, option, pod, unit

#: How long a worker may take beyond QUEUE_SHUTDOWN_TIMEOUT_S until it is killed.
MARGIN_S = 5
KEYS = {f"QUEUE_{field.name.upper()}" for field in fields(Config)} | {"QUEUES"}


def parse(words: list[str]) -> None:
    """Read a command line as `flask` does, and do nothing.

    Raises:
        click.UsageError: it is wrong.
    """
    group, name, *rest = words
    assert group == "queue"
    queue_cli.commands[name].make_context(name, rest)


@pytest.mark.parametrize("where", flask_commands())
def test_commands_of_files(where: str) -> None:
    """Each command line is one that the command line takes."""
    parse(flask_commands()[where])


@pytest.mark.parametrize("page", files.PAGES, ids=lambda page: page.name)
def test_commands_of_pages(page: Path) -> None:
    """The same for what the pages write in their sentences and examples."""
    for text in re.findall(r"\bflask (?:--app shop )?(queue [a-z-]+[^`\n…]*)(?=[`\n])", page.read_text()):
        words = shlex.split(text)
        if len(words) == 2:  # its name, in a sentence
            assert words[1] in queue_cli.commands
        else:
            parse(words)


def test_settings_exist() -> None:
    """A setting that is named anywhere here is one."""
    texts = {path: path.read_text() for path in [*files.FILES, *files.PAGES]}
    named = {(key, path.name) for path, text in texts.items() for key in re.findall(r"\bQUEUES?_[A-Z_]+\b", text)}
    assert len(named) > 20
    assert not {(key, name) for key, name in named if key not in KEYS}


@pytest.mark.parametrize("where", ["compose.yaml", "config.yaml"])
def test_settings_are_accepted(where: str) -> None:
    """Their values, too; what the shell has to fill in stands for itself."""
    if where == "compose.yaml":
        settings = compose()["services"]["worker"]["environment"]
    else:
        found = manifests("config.yaml")
        settings = found["ConfigMap"]["data"] | found["Secret"]["stringData"]
    assert all(isinstance(value, str) for value in settings.values())
    app = Flask("shop")
    app.config.update({key: value for key, value in settings.items() if key.startswith("QUEUE_")})
    config = Config.from_app(app)
    assert config.redis_configured
    assert config.dashboard_username


def kill_after_s(where: str) -> float:
    """How long whatever starts the worker waits after SIGTERM."""
    if where == "systemd":
        return float(unit("shop-worker.service")["Service"]["TimeoutStopSec"])
    if where == "compose":
        return float(compose()["services"]["worker"]["stop_grace_period"].removesuffix("s"))
    return float(pod(manifests("worker.yaml")["Deployment"])["terminationGracePeriodSeconds"])


@pytest.mark.parametrize("where", ["systemd", "compose", "kubernetes"])
def test_workers_have_their_time(where: str) -> None:
    """Nothing kills a worker before its own time-out is over, which is the default wherever it is named."""
    named = [
        compose()["services"]["worker"]["environment"]["QUEUE_SHUTDOWN_TIMEOUT_S"],
        manifests("config.yaml")["ConfigMap"]["data"]["QUEUE_SHUTDOWN_TIMEOUT_S"],
    ]
    assert {float(text) for text in named} == {Config().shutdown_timeout_s}
    assert kill_after_s(where) >= Config().shutdown_timeout_s + MARGIN_S


def test_signals_reach_the_supervisor_alone() -> None:
    """It passes them on; sent to all, they would come twice."""
    assert unit("shop-worker.service")["Service"]["KillMode"] == "mixed"


def test_probes_of_kubernetes() -> None:
    """They ask the worker's own health port; readiness is about claiming, liveness is not."""
    worker = container(manifests("worker.yaml")["Deployment"])
    (port,) = worker["ports"]
    assert str(port["containerPort"]) == option(worker["args"], "--health-port")
    probes = {name: worker[f"{name}Probe"] for name in ("startup", "readiness", "liveness")}
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {port["name"]}
    paths = {name: probe["httpGet"]["path"] for name, probe in probes.items()}
    assert paths == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}
    # A job may hold the interpreter lock, and with it the answer, for longer than a lease.
    assert probes["liveness"]["periodSeconds"] * probes["liveness"]["failureThreshold"] > Config().lease_s * 4


def test_the_health_check_of_compose() -> None:
    """It asks the port that the worker opens, and is Python that compiles."""
    worker = compose()["services"]["worker"]
    kind, python, switch, code = worker["healthcheck"]["test"]
    assert (kind, python, switch) == ("CMD", "python", "-c")
    compile(code, "compose.yaml", "exec")
    assert f":{option(worker['command'], '--health-port')}/livez" in code


def test_ports_of_the_web() -> None:
    """What gunicorn listens on is what everybody else connects to."""
    settings: dict[str, Any] = {}
    exec((files.DEPLOY / "web" / "gunicorn.conf.py").read_text(), settings)
    port = int(settings["bind"].rpartition(":")[2])
    assert int(files.dockerfile()["EXPOSE"]) == port
    assert compose()["services"]["web"]["ports"] == [f"{port}:{port}"]
    web = manifests("web.yaml")
    (opened,) = container(web["Deployment"])["ports"]
    assert opened["containerPort"] == port
    assert container(web["Deployment"])["readinessProbe"]["tcpSocket"]["port"] == opened["name"]
    assert web["Service"]["spec"]["ports"][0]["targetPort"] == opened["name"]
    assert f"http-socket = 0.0.0.0:{port}" in (files.DEPLOY / "web" / "uwsgi.ini").read_text()


def test_the_dockerfile_starts_no_shell() -> None:
    """Its command is a list; and it copies what the pages have in the app's folder."""
    assert json.loads(files.dockerfile()["CMD"])[0] == "gunicorn"
    assert files.dockerfile()["USER"] == "shop"


def test_names_of_kubernetes() -> None:
    """What refers to something finds it."""
    listed = manifests("kustomization.yaml")["Kustomization"]["resources"]
    assert {*listed, "kustomization.yaml", "scaledobject.yaml"} == {
        path.name for path in (files.DEPLOY / "kubernetes").iterdir()
    }
    config = manifests("config.yaml")
    for name, kind in (("worker.yaml", "Deployment"), ("web.yaml", "Deployment"), ("report.yaml", "CronJob")):
        workload = manifests(name)[kind]
        maps, secrets = container(workload)["envFrom"]
        assert maps["configMapRef"]["name"] == config["ConfigMap"]["metadata"]["name"]
        assert secrets["secretRef"]["name"] == config["Secret"]["metadata"]["name"]
        if kind == "Deployment":
            assert workload["spec"]["selector"]["matchLabels"] == workload["spec"]["template"]["metadata"]["labels"]
    web = manifests("web.yaml")
    assert web["Service"]["spec"]["selector"] == web["Deployment"]["spec"]["selector"]["matchLabels"]
    scaled = manifests("scaledobject.yaml")["ScaledObject"]["spec"]["scaleTargetRef"]["name"]
    assert scaled == manifests("worker.yaml")["Deployment"]["metadata"]["name"]


def test_no_file_of_yaml_has_a_key_twice() -> None:
    """YAML takes the last one without a word."""

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            assert len(keys) == len(set(keys)), keys
            return super().construct_mapping(node, deep)

    found = [path for path in files.FILES if path.suffix == ".yaml"]
    assert len(found) >= 7
    for path in found:
        assert list(yaml.load_all(path.read_text(), Strict))


def test_pages_show_the_files() -> None:
    """Each file is shown whole, after a link to it, on one page; those for Grafana are too long for that."""
    shown: dict[str, str] = {}
    for page in files.PAGES:
        block = r"^\[\S+\]\(\.\./\.\./deploy/(\S+)\)\n\n```\w+\n(.*?)^```$"
        shown |= dict(re.findall(block, page.read_text(), re.MULTILINE | re.DOTALL))
    names = {path: path.relative_to(files.DEPLOY).as_posix() for path in files.FILES if path.parent.name != "grafana"}
    assert shown == {name: path.read_text() for path, name in names.items()}


def test_pages_say_what_was_not_run() -> None:
    """Nobody takes a file for tried that was only read."""
    for name in ("index", "containers", "kubernetes", "redis-servers"):
        assert "**not run**" in (files.ROOT / "docs" / "deployment" / f"{name}.md").read_text(), name
