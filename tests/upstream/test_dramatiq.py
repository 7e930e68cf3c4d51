"""Dramatiq's own tests, on our broker and worker and a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.upstream.exemptions import EXEMPTIONS, LEFT_OUT, MOST
from tests.upstream.sdist import VERSION
from tests.upstream.verdict import faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.upstream.runs import ModuleRun


@pytest.mark.redis
@pytest.mark.timeout(600)
def test_dramatiqs_own_tests_pass(upstream_runs: Sequence[ModuleRun]) -> None:
    """Every test of every module that is about what we keep of Dramatiq, but for the exemptions, which fail."""
    major, minor, *_ = map(int, VERSION.split("."))
    found = list(faults(upstream_runs, EXEMPTIONS, (major, minor)))
    assert not found, "\n\n".join(found)


def test_exemptions_are_few_and_explained() -> None:
    """Each is one test function of a module that is run, and has its reason."""
    assert len(EXEMPTIONS) <= MOST
    for test, exemption in EXEMPTIONS.items():
        module, _, function = test.partition("::")
        assert module not in LEFT_OUT
        assert function.startswith("test_")
        assert len(exemption.reason.split()) > 5
