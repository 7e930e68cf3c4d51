"""How modules are run, and what is read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.upstream.runs import ModuleRun, Result, run_modules
from tests.upstream.sdist import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODULES = {
    "test_mixed.py": """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_once(number):
    assert number == 1

def test_skipped():
    pytest.skip("not today")
""",
    "test_hasty.py": """
from pathlib import Path

def test_late_at_first():
    has_run = Path("has-run")
    if not has_run.exists():
        has_run.touch()
        assert False

def test_in_time():
    pass
""",
    "test_broken.py": "import no_such_module",
    "test_empty.py": "",
}


def test_every_module_has_its_results(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Each in its own pytest: failures, skips, import errors; what fails is run again, and that counts."""
    (tmp_path / PACKAGE).mkdir()
    for name, text in {"__init__.py": "", **MODULES}.items():
        (tmp_path / PACKAGE / name).write_text(text)
    runs = {run.module: run for run in run_modules(list(MODULES), tmp_path, pytestconfig.rootpath)}
    assert {name: run.status for name, run in runs.items()} == {
        "test_mixed.py": 1,
        "test_hasty.py": 0,
        "test_broken.py": 2,
        "test_empty.py": 5,
    }
    assert passed(runs["test_mixed.py"]) == [("test_once", False), ("test_once", True), ("test_skipped", False)]
    assert passed(runs["test_hasty.py"]) == [("test_in_time", True), ("test_late_at_first", True)]
    assert runs["test_hasty.py"].again == ["test_hasty.py::test_late_at_first"]
    assert "no_such_module" in runs["test_broken.py"].output
    assert not runs["test_empty.py"].results


def passed(run: ModuleRun) -> list[tuple[str, bool]]:
    """Each test of a module, and whether it passed."""

    def pair(result: Result) -> tuple[str, bool]:
        return result.test.partition("::")[2], result.has_passed

    return sorted(map(pair, run.results))
