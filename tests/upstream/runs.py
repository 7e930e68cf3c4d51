"""Runs Dramatiq's test modules, each in a pytest of its own, and reads what came of them."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.upstream.exemptions import EXEMPTIONS
from tests.upstream.sdist import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: They sleep most of the time, but some measure it: no more at a time than two small cores can bear.
AT_A_TIME = 3
#: Some want things to be done within hundredths of a second. So many of a module may be run again, when all is quiet.
AGAIN = 3
#: Seconds for one module.
PATIENCE_S = 240
#: They come first, so that nothing waits for them at the end.
LONGEST = ("test_redis.py", "test_window_rate_limiter.py")
#: Tracebacks without carets: to place them Python parses code, and 3.11 fails if two threads, a worker's and that of
#: pytest, do so at a time (SystemError, "AST constructor recursion depth mismatch").
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONNODEBUGRANGES": "1"}


#: The status of a module that was not over in time.
TOO_LONG = -1


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test, or of one of its parameters."""

    #: Module and function, without parameters.
    test: str
    has_passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ModuleRun:
    """What came of one module."""

    module: str
    #: That of pytest: 0 all passed, 1 some failed, 5 there are none; all others say that it was not run to its end.
    status: int
    output: str
    results: Sequence[Result] = field(default=())
    #: Tests that did not pass among the others, and were run again.
    again: Sequence[str] = ()


def run_modules(modules: Sequence[str], folder: Path, root: Path) -> list[ModuleRun]:
    """Run modules that were unpacked into a folder; `root` is where our own `tests` package is."""
    in_order = sorted(modules, key=lambda name: (name not in LONGEST, name))
    (folder / "pytest.ini").write_text("[pytest]\n")
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        runs = list(pool.map(lambda module: _run(module, [module], folder, root), in_order))
    return [_run_again(run, folder, root) for run in runs]


def _run_again(run: ModuleRun, folder: Path, root: Path) -> ModuleRun:
    """Run what should have passed and did not once more, alone."""
    failed = sorted({result.test for result in run.results if not result.has_passed} - EXEMPTIONS.keys())
    if run.status != 1 or not 0 < len(failed) <= AGAIN:
        return run
    second = _run(run.module, failed, folder, root)
    others = [result for result in run.results if result.test not in failed]
    return replace(second, results=[*others, *second.results], again=failed)


def _run(module: str, tests: Sequence[str], folder: Path, root: Path) -> ModuleRun:
    report, output = folder / f"{module}.xml", folder / f"{module}.txt"
    report.unlink(missing_ok=True)
    plugins = ["-p", "pytest_timeout", "-p", "tests.upstream.adapter", "-p", "no:cacheprovider"]
    options = ["-c", "pytest.ini", "--timeout=60", f"--junit-xml={report}", "--show-capture=no", "--quiet"]
    options += [f"--deselect={PACKAGE}/{test}" for test, exemption in EXEMPTIONS.items() if not exemption.is_run]
    command = [sys.executable, "-m", "pytest", *plugins, *options, *(f"{PACKAGE}/{test}" for test in tests)]
    with output.open("w") as file:
        try:
            status = subprocess.run(
                command, cwd=folder, env=_environment(root), stdout=file, stderr=file, timeout=PATIENCE_S, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            status = TOO_LONG
    results = _read(report, module) if report.exists() else ()
    return ModuleRun(module, status, output.read_text(errors="replace"), results)


def _environment(root: Path) -> dict[str, str]:
    # Without measuring coverage, which takes the time that some of these tests measure.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return inherited | ENVIRONMENT | {"PYTHONPATH": str(root)}


def _read(report: Path, module: str) -> list[Result]:
    results = []
    for case in ElementTree.parse(report).iter("testcase"):
        function = case.get("name", "").partition("[")[0]
        # Anything inside tells of a failure, an error or a skip.
        details = [f"{inside.get('message', '')}\n{inside.text or ''}" for inside in case]
        results.append(Result(f"{module}::{function}", not details, "\n".join(details)))
    return results
