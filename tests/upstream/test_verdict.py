"""The verdict on Dramatiq's tests can be a bad one."""

from __future__ import annotations

import pytest

from tests.upstream.exemptions import Exemption
from tests.upstream.runs import TOO_LONG, ModuleRun, Result
from tests.upstream.verdict import faults, summary

NOW = (2, 2)
GOOD = Result("test_a.py::test_good", has_passed=True)
BAD = Result("test_a.py::test_bad", has_passed=False, detail="assert 1 == 2")
BAD_TOO = Result("test_a.py::test_bad", has_passed=True)
EXEMPT = {BAD.test: Exemption("It wants something else.")}


def run(*results: Result, status: int = 1) -> list[ModuleRun]:
    """One module with these results."""
    return [ModuleRun("test_a.py", status, "what pytest said", results)]


def test_all_is_well_if_only_exemptions_fail() -> None:
    """With any of its parameters."""
    assert not list(faults(run(GOOD, BAD, BAD_TOO), EXEMPT, NOW))
    assert not list(faults(run(GOOD, status=0), {}, NOW))


def test_a_failure_that_nobody_exempted_is_a_fault() -> None:
    """With the words of the failure."""
    [fault] = faults(run(GOOD, BAD), {}, NOW)
    assert "test_a.py::test_bad did not pass" in fault
    assert "assert 1 == 2" in fault


@pytest.mark.parametrize("status", [2, 3, 4, -9, TOO_LONG])
def test_a_module_that_was_not_run_is_a_fault(status: int) -> None:
    """An import that fails, a usage error, a crash: with what pytest said."""
    [fault] = faults(run(status=status), {}, NOW)
    assert "test_a.py could not be collected" in fault
    assert "what pytest said" in fault


def test_an_exemption_that_passes_is_a_fault() -> None:
    """It is stale: with all its parameters the test holds by now."""
    [fault] = faults(run(GOOD, BAD_TOO), EXEMPT, NOW)
    assert "test_bad passes" in fault


def test_an_exemption_of_nothing_is_a_fault() -> None:
    """Unless the test came with a later version than the one that is installed, or is not run at all."""
    [fault] = faults(run(GOOD), EXEMPT, NOW)
    assert "test_bad does not exist" in fault
    assert not list(faults(run(GOOD), {BAD.test: Exemption("It wants something else.", since=(2, 3))}, NOW))
    assert not list(faults(run(GOOD), {BAD.test: Exemption("It wants something else.", is_run=False)}, NOW))


def test_no_modules_are_a_fault() -> None:
    """A source distribution without tests is no success."""
    assert list(faults([], {}, NOW)) == ["there are no modules"]


def test_the_summary_counts_tests_and_exceptions() -> None:
    """Parameters are tests of their own; a function is one exception, however many of its parameters fail."""
    exemptions = EXEMPT | {"test_a.py::test_elsewhere": Exemption("It wants a machine.", is_run=False)}
    line = summary(run(GOOD, GOOD, BAD, BAD), exemptions, "2.2.1")
    assert line == "dramatiq's own suite (2.2.1, 1 modules): 2 passed, 2 exceptions"


def test_the_summary_names_what_was_run_again() -> None:
    """A test that passes only when all is quiet is told."""
    again = [ModuleRun("test_a.py", 0, "", [GOOD], again=[GOOD.test])]
    assert "1 passed (run again: test_a.py::test_good), 0 exceptions" in summary(again, {}, "2.2.1")
