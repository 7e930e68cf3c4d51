"""Installs each peer in an environment of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.table import ADAPTERS, Peer


class NotInstalled(Exception):
    """A peer can't be had on this machine; says what to do."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a peer's programs are."""

    folder: Path
    kind: str

    def bin(self, name: str) -> str:
        """The path of a program."""
        own = self.folder / "bin" / name
        return str(own) if own.exists() else name

    def client(self, adapter: str) -> list[str]:
        """The command of a client."""
        interpreter = {"python": self.bin("python"), "node": "node", "ruby": "ruby"}[self.kind]
        return [interpreter, str(ADAPTERS / adapter)]

    @property
    def variables(self) -> Mapping[str, str]:
        """What its processes need in their environment."""
        return {"NODE_PATH": str(self.folder / "node_modules")} if self.kind == "node" else {}


def install(peer: Peer, folder: Path, *, flask_queue: str) -> Environment:
    """Install a peer, unless it is there already as wanted.

    Args:
        peer: which.
        folder: has one folder for each.
        flask_queue: what pip is to install for flask-queue: a wheel, or the source tree.

    Raises:
        NotInstalled: it can't be.
    """
    home = folder / (peer.environment or peer.name)
    requirements = [flask_queue if each == "flask-queue" else each for each in peer.requirements]
    wanted = hashlib.sha256("\n".join([sys.version, *requirements, *map(_content, requirements)]).encode()).hexdigest()
    stamp = home / "installed"
    environment = Environment(home, peer.kind)
    if stamp.exists() and stamp.read_text() == wanted:
        return environment
    print(f"Installing {peer.name} ...", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        {"python": _pip, "node": _npm, "ruby": _apt}[peer.kind](home, requirements)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = (getattr(error, "stderr", None) or "").strip().splitlines()
        raise NotInstalled(f"{peer.name} can't be installed: {detail[-1] if detail else error}") from None
    stamp.write_text(wanted)
    return environment


def _content(requirement: str) -> str:
    """A wheel that was built again is installed again."""
    path = Path(requirement)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _pip(home: Path, requirements: list[str]) -> None:
    _run(sys.executable, "-m", "venv", str(home))
    _run(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements)


def _npm(home: Path, requirements: list[str]) -> None:
    (home / "package.json").write_text('{"private": true}')
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(home), *requirements)


def _apt(home: Path, requirements: list[str]) -> None:
    """Sidekiq is Debian's: a system package, which only root installs."""
    if shutil.which("sidekiq"):
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *requirements]
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise OSError(f"run `{' '.join(command)}` as root first")
    # RUNLEVEL=1: nothing that comes with it is started.
    _run(*command, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")


def _run(*command: str, **variables: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | variables)
