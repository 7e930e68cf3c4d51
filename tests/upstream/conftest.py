"""Runs Dramatiq's own tests once in a session, and prints how many passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.needs import lack, require
from tests.servers import BINARIES, default_kind
from tests.upstream.exemptions import EXEMPTIONS
from tests.upstream.runs import ModuleRun, run_modules
from tests.upstream.sdist import VERSION, fetch, unpack
from tests.upstream.verdict import summary

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUMMARY = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def upstream_runs(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Sequence[ModuleRun]:
    """What came of every module."""
    require(BINARIES[default_kind()])
    folder = tmp_path_factory.mktemp("dramatiq")
    archive = fetch(folder) or lack("the source distribution of dramatiq")
    runs = run_modules(unpack(archive, folder), folder, pytestconfig.rootpath)
    pytestconfig.stash[_SUMMARY] = summary(runs, EXEMPTIONS, VERSION)
    return runs


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the numbers."""
    line = config.stash.get(_SUMMARY, None)
    if line:
        terminalreporter.write_line(line)
