#!/usr/bin/env -S python3
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.5.1"]
# ///
"""The project's sessions. `python3 noxfile.py -s NAME` needs Python and git alone; `nox -s NAME` does the same."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parent
#: Nox itself lives here when the machine has none.
BOOTSTRAP = ROOT / ".nox" / ".bootstrap"


def bootstrap() -> None:
    """Run this file again under a Nox of its own, which is installed into the clone first if need be."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this file has not installed anything yet
        sys.exit(f"flask-queue needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}")
    python = BOOTSTRAP / "bin" / "python"
    if not can_import_nox(python):
        install_nox(python)
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


def can_import_nox(python: Path) -> bool:
    """Tell whether the private environment is whole."""
    return (
        python.exists()
        and not subprocess.run([python, "-c", "import nox"], check=False, capture_output=True).returncode
    )


def install_nox(python: Path) -> None:
    """Make the private environment anew. What an interrupted attempt left is cleared."""
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit("This Python cannot make virtual environments: install them (Debian: apt install python3-venv)")
    requirement = re.findall(r'^# dependencies = \["(.+)"\]$', Path(__file__).read_text(), re.MULTILINE)[0]
    print(f"Installing {requirement} into {BOOTSTRAP.relative_to(ROOT)} ...", flush=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", BOOTSTRAP], check=True)
        subprocess.run([*pip, "install", "--quiet", requirement], check=True)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # it has said why


try:
    import nox
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    try:
        bootstrap()
    except KeyboardInterrupt:
        sys.exit(130)

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "layers", "tests"]

PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
#: Two tests at a time: most of them wait for something. Those of a file share servers, and stay together.
PARALLEL = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
#: What a user gets who installs the package alone, and what all extras add.
DEPENDENCIES: list[str] = PROJECT["project"]["dependencies"]
EXTRAS = list(chain.from_iterable(PROJECT["project"]["optional-dependencies"].values()))


@nox.session
def demo(session: nox.Session) -> None:
    """Start the example app with all it needs; `-- --once` goes through it without a person."""
    install_once(session, "--editable", ".[embedded]", *group("example"))
    python = session.run("python", "-c", "import sys; print(sys.executable, end='')", silent=True, log=False)
    if not isinstance(python, str):
        return  # --install-only
    # The demo takes this process over: Ctrl-C and SIGTERM reach it directly, and its exit status is the caller's.
    os.environ["PATH"] = os.pathsep.join([session.bin, os.environ["PATH"]])
    os.execv(python, [python, "-m", "example_app.demo", *session.posargs])


@nox.session
def tests(session: nox.Session) -> None:
    """Run the whole suite on the built wheel, and measure coverage. Arguments go to pytest instead of `PARALLEL`."""
    install_once(session, *DEPENDENCIES, *EXTRAS, *group("lint", "test", "types"))
    install_wheel(session)
    data = location(session) / "coverage" / "data"
    session.env["COVERAGE_FILE"] = str(data)
    shutil.rmtree(data.parent, ignore_errors=True)
    data.parent.mkdir()
    run_pytest(session, "coverage", "run", "-m", "pytest", *([] if session.posargs else PARALLEL))
    session.run("coverage", "combine", "--quiet")
    # The floor is meant for the whole suite.
    session.run("coverage", "report", *(["--fail-under=0"] if session.posargs else []))


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that are too long for every run, then `minimums`. Arguments go to pytest, instead of that."""
    install_once(session, *DEPENDENCIES, *EXTRAS, *group("test", "types"))
    install_wheel(session)
    run_pytest(session, "python", "-m", "pytest", "-m", "slow")
    if not session.posargs:
        session.notify("minimums")


@nox.session
def chaos(session: nox.Session) -> None:
    """Kill workers and Redis under random jobs for ten minutes, then check; `-- --seconds N --seed S` repeats one."""
    install_once(session, *DEPENDENCIES, *EXTRAS, *group("test"))
    install_wheel(session)
    with staged(session):
        session.run("python", "-m", "tests.chaos", *session.posargs, interrupt_timeout=20, terminate_timeout=10)


@nox.session
def screenshots(session: nox.Session) -> None:
    """Take the pictures of README and docs with the machine's Chromium; `-- FOLDER` puts them elsewhere."""
    install_once(session, "--editable", ".", *EXTRAS, *group("test"))
    session.run("python", "-m", "tests.browser.screenshots", *(session.posargs or ["docs/screenshots"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, strictly; `-- FOLDER` puts it elsewhere. The suite does the same, and looks at it."""
    install_once(session, *DEPENDENCIES, *group("docs"))
    folder = Path(*session.posargs[:1]) if session.posargs else location(session) / "html"
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder))
    session.log("%s", folder / "index.html")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure flask-queue and its peers side by side; `-- --only dramatiq,flask-queue --quick` for a fast look."""
    install_once(session, *group("bench"), "hatchling", *(group("plots") if "--plots" in session.posargs else []))
    [wheel] = build_wheel(session) or [Path()]  # none with --install-only
    folder = location(session)
    options = ["--environments", str(folder / "peers"), "--flask-queue", str(wheel)]
    # What the arguments say of the output comes last, and wins.
    options += ["--output", str(folder / "figures"), *session.posargs]
    session.run("python", "-m", "benchmarks.peers", *options, interrupt_timeout=20, terminate_timeout=10)


@nox.session
def growth(session: nox.Session) -> None:
    """Measure how costs grow with jobs, up to a million, and with queues; `-- --quick` for a fast look."""
    install_once(session, "--editable", ".", *EXTRAS, *group("plots"))
    options = ["--output", str(location(session) / "figures"), *session.posargs]
    session.run("python", "-m", "benchmarks.growth", *options, interrupt_timeout=20, terminate_timeout=10)


@nox.session
def minimums(session: nox.Session) -> None:
    """Run the suite with the lowest versions that pyproject.toml allows. Arguments go to pytest."""
    install_once(session, "uv")
    uv = ("uv", "pip", "install", "--quiet")
    session.run_install(*uv, "--resolution=lowest-direct", *DEPENDENCIES, *EXTRAS)
    session.run_install(*uv, *group("lint", "test", "types"))
    install_wheel(session)
    session.run("uv", "pip", "list")
    run_pytest(session, "python", "-m", "pytest", *([] if session.posargs else PARALLEL))


@nox.session(name="release-check")
def release_check(session: nox.Session) -> None:
    """Build wheel and sdist, look into them, and install each extra on each Python; `-- --python 3.12` for one."""
    install_once(session, *group("release"))
    session.run("python", "-m", "tests.packaging.release", str(location(session) / "dist"), *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    install_once(session, *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of package, example and tests with mypy and, as users' editors do, with pyright."""
    install_once(session, *DEPENDENCIES, *EXTRAS, *group("test", "types"), "nox")
    session.run("mypy")
    session.run("pyright")


@nox.session
def layers(session: nox.Session) -> None:
    """Check who imports whom."""
    install_once(session, *DEPENDENCIES, *group("layers"))
    session.run("lint-imports")


def group(*names: str) -> tuple[str, ...]:
    """Return the requirements of dependency groups."""
    return nox.project.dependency_groups(PROJECT, *names)


def location(session: nox.Session) -> Path:
    """Return the folder of the session's environment."""
    return Path(session.virtualenv.location)


def install_once(session: nox.Session, *arguments: str) -> None:
    """Call pip, unless it was called before: with the same words, for the same pyproject.toml."""
    wanted = hashlib.sha256("\n".join([*arguments, (ROOT / "pyproject.toml").read_text()]).encode()).hexdigest()
    stamp = location(session) / "installed.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    session.install(*arguments)
    stamp.write_text(wanted)


def install_wheel(session: nox.Session) -> None:
    """Build the wheel and put it into the environment; what it depends on is there already."""
    wheels = build_wheel(session)
    session.run_install("python", "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", *wheels)


def build_wheel(session: nox.Session) -> list[Path]:
    """Build the wheel, and return where it is: one path."""
    dist = location(session) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run_install("python", "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist), silent=True)
    return list(dist.glob("*.whl"))


def run_pytest(session: nox.Session, *command: str) -> None:
    """Run pytest on the wheel."""
    session.env["FLASK_QUEUE_TESTS_INSTALLED"] = "1"
    with staged(session):
        # On Ctrl-C pytest gets the time to end the servers that it started.
        session.run(*command, *session.posargs, interrupt_timeout=20, terminate_timeout=10)


@contextmanager
def staged(session: nox.Session) -> Iterator[None]:
    """Work in a folder that links to all of the project but what the wheel has, so that the wheel is what's tested."""
    stage = location(session) / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith(("flask_queue", ".")):
            (stage / path.name).symlink_to(path)
    with session.chdir(stage):
        yield


if __name__ == "__main__":
    sys.argv[1:1] = ["--noxfile", __file__]
    nox.main()
