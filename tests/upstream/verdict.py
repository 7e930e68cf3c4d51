"""Whether the runs of Dramatiq's tests are as they should be: all passed but the exemptions, and none of those."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.upstream.exemptions import Exemption
    from tests.upstream.runs import ModuleRun, Result

#: Statuses of pytest with which a module was run as a whole.
WHOLE = (0, 1, 5)


def faults(runs: Sequence[ModuleRun], exemptions: Mapping[str, Exemption], version: tuple[int, int]) -> Iterator[str]:
    """Everything that is wrong."""
    if not runs:
        yield "there are no modules"
    for run in runs:
        if run.status not in WHOLE:
            yield f"{run.module} could not be collected, or not be run to its end:\n{run.output}"
    results = [result for run in runs for result in run.results]
    for result in results:
        if not result.has_passed and result.test not in exemptions:
            yield f"{result.test} did not pass:\n{result.detail}"
    for test, exemption in exemptions.items():
        yield from _stale(test, exemption, [result for result in results if result.test == test], version)


def summary(runs: Sequence[ModuleRun], exemptions: Mapping[str, Exemption], version: str) -> str:
    """One line with the numbers."""
    results = [result for run in runs for result in run.results]
    passed = sum(result.has_passed for result in results)
    exempt = {result.test for result in results if not result.has_passed} & set(exemptions)
    exempt |= {test for test, exemption in exemptions.items() if not exemption.is_run}
    again = [test for run in runs for test in run.again]
    note = f" (run again: {', '.join(again)})" if again else ""
    return f"dramatiq's own suite ({version}, {len(runs)} modules): {passed} passed{note}, {len(exempt)} exceptions"


def _stale(test: str, exemption: Exemption, results: Sequence[Result], version: tuple[int, int]) -> Iterator[str]:
    if not exemption.is_run or version < exemption.since:
        return
    if not results:
        yield f"{test} does not exist (any more): take it off the exemptions"
    elif all(result.has_passed for result in results):
        yield f"{test} passes: take it off the exemptions"
