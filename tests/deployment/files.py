"""The files of `deploy/`, read: their commands, their settings, and what they say of ports, probes and seconds."""

from __future__ import annotations

import re
import shlex
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PAGES = sorted((ROOT / "docs" / "deployment").glob("*.md"))
#: All that is there to copy.
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())


def unit(name: str) -> RawConfigParser:
    """A systemd unit; a key that a section has twice is an error."""
    parser = RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # as the library documents it
    parser.read_string((DEPLOY / "systemd" / name).read_text())
    return parser


def compose() -> dict[str, Any]:
    """The services of compose.yaml, by name, anchors merged."""
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
    return document


def manifests(name: str) -> dict[str, Any]:
    """The objects of a Kubernetes file by their kind."""
    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())
    return {document["kind"]: document for document in documents}


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    """The pod that a Deployment or CronJob starts."""
    spec = workload["spec"]
    found: dict[str, Any] = spec.get("jobTemplate", workload)["spec"]["template"]["spec"]
    return found


def container(workload: dict[str, Any]) -> dict[str, Any]:
    """Its only container."""
    (found,) = pod(workload)["containers"]
    return dict(found)


def procfile() -> dict[str, list[str]]:
    """The commands of the Procfile by process type."""
    lines = (DEPLOY / "Procfile").read_text().splitlines()
    return {name: shlex.split(command) for name, _, command in (line.partition(": ") for line in lines)}


def dockerfile() -> dict[str, str]:
    """The last of each instruction of the Dockerfile."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    return dict(re.findall(r"^([A-Z]+) (.+)$", text, re.MULTILINE))


def commands() -> dict[str, list[str]]:
    """Each command that starts something of the app, by the file that it stands in."""
    services = {path.name: unit(path.name) for path in (DEPLOY / "systemd").glob("*.service")}
    found = {name: shlex.split(parsed["Service"]["ExecStart"]) for name, parsed in services.items()}
    found |= {f"Procfile {name}": words for name, words in procfile().items()}
    found["compose.yaml"] = compose()["services"]["worker"]["command"]
    found["worker.yaml"] = container(manifests("worker.yaml")["Deployment"])["args"]
    found["report.yaml"] = container(manifests("report.yaml")["CronJob"])["args"]
    return found


def flask_commands() -> dict[str, list[str]]:
    """What follows `flask --app shop` in those of them."""
    starts = {where: words for where, words in commands().items() if Path(words[0]).name == "flask"}
    assert all(words[1:3] == ["--app", "shop"] for words in starts.values())
    return {where: words[3:] for where, words in starts.items()}


def option(words: list[str], name: str) -> str:
    """What follows an option of a command."""
    return words[words.index(name) + 1]
